"""The folder of one run of a case: its models, its files, and its name in texts."""

from __future__ import annotations

import base64
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from conformance.case import FIXTURE, FIXTURE2, Content, ServerSpec

MODEL_CONFIG = "models.config"


@dataclass(frozen=True, slots=True)
class Folder:
    """Everything is written beside and renamed into place, since servers poll."""

    path: Path

    @classmethod
    def made(cls, path: Path, spec: ServerSpec) -> Folder:
        """With the models and files that a server is started with."""
        folder = cls(path)
        (path / "models").mkdir(parents=True)
        for model, versions in spec.models.items():
            (path / "models" / model).mkdir()
            for version, source in versions.items():
                folder.publish(model, version, source)
        for name, content in spec.files.items():
            folder.write(name, content)
        for name, target in spec.links.items():
            folder.link(name, target)
        if spec.config is not None:
            folder.write(MODEL_CONFIG, spec.config)
        return folder

    def filled(self, text: str) -> str:
        """A recorded text with the folders of this run in it."""
        for field, folder in self._fields():
            text = text.replace(field, folder)
        return text

    def blanked(self, text: str) -> str:
        """A text of the server without the folders of this run."""
        for field, folder in self._fields():
            text = text.replace(folder, field)
        return text

    def _fields(self) -> list[tuple[str, str]]:
        # fixture2 comes before fixture, whose path is a prefix of it.
        return [
            ("{dir}", str(self.path)),
            ("{fixture2}", str(FIXTURE2)),
            ("{fixture}", str(FIXTURE)),
        ]

    def write(self, name: str, content: Content) -> None:
        data = (
            self.filled(content).encode()
            if isinstance(content, str)
            else base64.b64decode(content["b64"])
        )
        staged = self._staged(name)
        staged.write_bytes(data)
        staged.rename(self.path / name)

    def link(self, name: str, target: str) -> None:
        """A symbolic link, in one move also where one exists already."""
        staged = self._staged(name)
        staged.symlink_to(self.filled(target))
        staged.rename(self.path / name)

    def _staged(self, name: str) -> Path:
        path = self.path / f"{name}.tmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def publish(self, model: str, version: str, source: str) -> None:
        """A version of a fixture as a version of a model."""
        staged = self.path / f"staged-{model}-{version}"
        shutil.copytree(FIXTURE / self.filled(source), staged)
        staged.rename(self.path / "models" / model / version)

    def remove(self, model: str, version: str) -> None:
        removed = self.path / f"removed-{model}-{version}"
        (self.path / "models" / model / version).rename(removed)
        shutil.rmtree(removed)

    def move(self, source: str, target: str) -> None:
        os.rename(self.path / source, self.path / target)

    def copy(self, source: str, target: str) -> None:
        """A file of the fixture, in place: what is there is overwritten."""
        shutil.copy(FIXTURE / source, self.path / target)
