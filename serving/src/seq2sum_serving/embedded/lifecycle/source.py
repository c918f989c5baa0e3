"""The source: looks at base paths and says which versions are aspired."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2sum_serving.embedded.lifecycle.versions import Specific, VersionPolicy, aspired

log = logging.getLogger(__name__)

Aspire = Callable[[str, Mapping[int, str]], None]
"""Told a model's name and its aspired versions with their directories."""


@dataclass(frozen=True, slots=True)
class Monitored:
    """One model that is looked at."""

    base_path: str
    """Absolute path of the folder whose numeric children are versions."""
    policy: VersionPolicy
    """Which of the versions are aspired."""


class FileSystemSource:
    """Polls the base paths of some models. Safe to use from any thread."""

    def __init__(self, aspire: Aspire) -> None:
        self._aspire = aspire
        self._lock = threading.Lock()
        self._models: dict[str, Monitored] = {}

    @property
    def models(self) -> dict[str, Monitored]:
        """What is looked at, by name."""
        with self._lock:
            return dict(self._models)

    def update(self, models: Mapping[str, Monitored]) -> None:
        """Looks at these from now on; those that are left out lose all their versions at once."""
        with self._lock:
            gone = self._models.keys() - models.keys()
            self._models = dict(models)
            for name in sorted(gone):
                self._aspire(name, {})

    def poll(self) -> None:
        """Looks once.

        A base path that cannot be read ends the whole look before anything is said, for all
        models, as in TensorFlow Serving: what is loaded stays. A base path without versions
        is an answer, and means that none is aspired.
        """
        with self._lock:
            found: dict[str, dict[int, str]] = {}
            for name, model in sorted(self._models.items()):
                versions = _look(name, model)
                if versions is None:
                    return
                found[name] = versions
            for name, versions in found.items():
                self._aspire(name, versions)


def _look(name: str, model: Monitored) -> dict[int, str] | None:
    """The aspired versions of one model with their paths; None if its base path cannot be read."""
    try:
        children = [entry.name for entry in Path(model.base_path).iterdir()]
    except OSError as error:
        log.error(
            "FileSystemStoragePathSource encountered a filesystem access error: "
            "Could not find base path %s for servable %s (%s); no model gets new versions until "
            "it is there",
            model.base_path,
            name,
            error.strerror,
        )
        return None
    versions = aspired(children, model.policy)
    if isinstance(model.policy, Specific):
        for missing in sorted(model.policy.versions - versions.keys()):
            log.warning("Version %d of servable %s, requested, not found", missing, name)
    if not versions:
        log.warning(
            "No versions of servable %s found under base path %s%s",
            name,
            model.base_path,
            hint(children),
        )
    return {number: str(Path(model.base_path, child)) for number, child in versions.items()}


def hint(children: Sequence[str]) -> str:
    """What is probably wrong with a base path that has no versions."""
    if "saved_model.pb" in children:
        return ": it is a SavedModel itself; put it into a numbered folder, and name the parent"
    return ": waiting for a numbered folder in it"
