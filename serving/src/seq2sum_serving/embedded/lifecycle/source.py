"""The source: looks at base paths and says which versions are aspired. Keeps no state."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from seq2sum_serving.embedded.config import ModelConfig
from seq2sum_serving.embedded.versions import aspired

log = logging.getLogger(__name__)

Aspire = Callable[[str, Mapping[int, str]], None]
"""Told a model's name and its aspired versions with their directories."""


class FileSystemSource:
    """Polls the base paths of some models."""

    def __init__(self, models: Sequence[ModelConfig], aspire: Aspire) -> None:
        self._models = models
        self._aspire = aspire

    def poll(self) -> None:
        """Looks once.

        A base path that cannot be read ends the whole look before anything is said, for all
        models, as in TensorFlow Serving: what is loaded stays. A base path without versions
        is an answer, and means that none is aspired.
        """
        found: dict[str, dict[int, str]] = {}
        for model in self._models:
            try:
                children = [entry.name for entry in Path(model.base_path).iterdir()]
            except OSError as error:
                log.error(
                    "FileSystemStoragePathSource encountered a filesystem access error: "
                    "Could not find base path %s for servable %s (%s); "
                    "versions that are loaded stay",
                    model.base_path,
                    model.name,
                    error.strerror,
                )
                return
            found[model.name] = {
                number: str(Path(model.base_path, name))
                for number, name in aspired(children, model.policy).items()
            }
            if not found[model.name]:
                log.warning(
                    "No versions of servable %s found under base path %s%s",
                    model.name,
                    model.base_path,
                    hint(children),
                )
        for name, versions in found.items():
            self._aspire(name, versions)


def hint(children: Sequence[str]) -> str:
    """What is probably wrong with a base path that has no versions."""
    if "saved_model.pb" in children:
        return ": it is a SavedModel itself; put it into a numbered folder, and name the parent"
    return ": waiting for a numbered folder in it"
