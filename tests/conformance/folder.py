"""The folder of one run of a case: its models, its files, and its name in texts."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from conformance.case import FIXTURE, ServerSpec

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
        for name, text in spec.files.items():
            folder.write(name, text)
        if spec.config is not None:
            folder.write(MODEL_CONFIG, spec.config)
        return folder

    def filled(self, text: str) -> str:
        """A recorded text with the folders of this run in it."""
        return text.replace("{dir}", str(self.path)).replace("{fixture}", str(FIXTURE))

    def blanked(self, text: str) -> str:
        """A text of the server without the folders of this run."""
        return text.replace(str(self.path), "{dir}").replace(str(FIXTURE), "{fixture}")

    def write(self, name: str, text: str) -> None:
        staged = self.path / f"{name}.tmp"
        staged.write_text(self.filled(text))
        staged.rename(self.path / name)

    def publish(self, model: str, version: str, source: str) -> None:
        """A version of the fixture as a version of a model."""
        staged = self.path / f"staged-{model}-{version}"
        shutil.copytree(FIXTURE / source, staged)
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
