"""The folder of one run of a case, with its models and files."""

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
    """The folder of a run. Files are renamed into place, because servers poll.

    Recorded texts have placeholders such as `{dir}` for the folders of a run.
    """

    path: Path

    @classmethod
    def create(cls, path: Path, spec: ServerSpec) -> Folder:
        """Creates the models and files that a server is started with."""
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

    def expand_paths(self, text: str) -> str:
        """Replaces the placeholders of a recorded text."""
        for placeholder, folder in self._placeholders():
            text = text.replace(placeholder, folder)
        return text

    def mask_paths(self, text: str) -> str:
        """Puts placeholders into a text from the server."""
        for placeholder, folder in self._placeholders():
            text = text.replace(folder, placeholder)
        return text

    def _placeholders(self) -> list[tuple[str, str]]:
        # fixture2 comes before fixture, whose path is a prefix of it.
        return [
            ("{dir}", str(self.path)),
            ("{fixture2}", str(FIXTURE2)),
            ("{fixture}", str(FIXTURE)),
        ]

    def write(self, name: str, content: Content) -> None:
        data = (
            self.expand_paths(content).encode()
            if isinstance(content, str)
            else base64.b64decode(content["b64"])
        )
        staged = self._staged(name)
        staged.write_bytes(data)
        staged.rename(self.path / name)

    def link(self, name: str, target: str) -> None:
        """Makes a symbolic link, or replaces one atomically."""
        staged = self._staged(name)
        staged.symlink_to(self.expand_paths(target))
        staged.rename(self.path / name)

    def _staged(self, name: str) -> Path:
        path = self.path / f"{name}.tmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def publish(self, model: str, version: str, source: str) -> None:
        """Copies a version of a fixture to a version of a model."""
        staged = self.path / f"staged-{model}-{version}"
        shutil.copytree(FIXTURE / self.expand_paths(source), staged)
        staged.rename(self.path / "models" / model / version)

    def remove(self, model: str, version: str) -> None:
        removed = self.path / f"removed-{model}-{version}"
        (self.path / "models" / model / version).rename(removed)
        shutil.rmtree(removed)

    def move(self, source: str, target: str) -> None:
        os.rename(self.path / source, self.path / target)

    def copy(self, source: str, target: str) -> None:
        """Overwrites a file in place with one of the fixture."""
        shutil.copy(FIXTURE / source, self.path / target)
