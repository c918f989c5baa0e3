"""The source: polls base paths, and reports which versions are aspired."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from seq2sum_serving.embedded.errors import ServingError
from seq2sum_serving.embedded.files import entries, join
from seq2sum_serving.embedded.lifecycle.versions import Specific, VersionPolicy, aspired
from seq2sum_serving.embedded.log_throttle import LogThrottle

log = logging.getLogger(__name__)

Aspire = Callable[[str, Mapping[int, str]], None]
"""Receives a model's name and its aspired versions with their directories."""


@dataclass(frozen=True, slots=True)
class Monitored:
    """A model whose base path is polled."""

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
        self._throttle = LogThrottle()

    @property
    def models(self) -> dict[str, Monitored]:
        """The models that are polled, by name."""
        with self._lock:
            return dict(self._models)

    def update(self, models: Mapping[str, Monitored]) -> None:
        """Replaces the polled models; for those left out, no version is aspired from now on."""
        with self._lock:
            removed = self._models.keys() - models.keys()
            self._models = dict(models)
            for name in sorted(removed):
                self._aspire(name, {})

    def poll(self) -> None:
        """Polls every base path once.

        A base path that cannot be read ends the poll for all models before anything is reported,
        as in TensorFlow Serving (file_system_storage_path_source.cc): loaded versions stay. A base
        path without versions is valid, and means that no version is aspired.
        """
        with self._lock:
            found: dict[str, dict[int, str]] = {}
            for name, model in sorted(self._models.items()):
                versions = self._aspired_versions(name, model)
                if versions is None:
                    return
                found[name] = versions
            for name, versions in found.items():
                self._aspire(name, versions)

    def _aspired_versions(self, name: str, model: Monitored) -> dict[int, str] | None:
        """Returns a model's aspired versions with their paths; None if its path is unreadable."""
        try:
            children = entries(model.base_path)
        except ServingError as error:
            self._log(
                logging.ERROR,
                (name, "base path"),
                "FileSystemStoragePathSource encountered a filesystem access error: Could not find "
                f"base path {model.base_path} for servable {name} ({error.message}); no model gets "
                "new versions until the folder exists",
            )
            return None
        self._throttle.forget((name, "base path"))
        versions = aspired(children, model.policy)
        if isinstance(model.policy, Specific):
            for version in model.policy.versions:
                if version in versions:
                    self._throttle.forget((name, version))
                else:
                    text = f"Version {version} of servable {name}, requested, not found"
                    self._log(logging.WARNING, (name, version), text)
        if versions:
            self._throttle.forget((name, "versions"))
        else:
            self._log(
                logging.WARNING,
                (name, "versions"),
                f"No versions of servable {name} found under base path {model.base_path}"
                + hint(children),
            )
        return {number: join(model.base_path, child) for number, child in versions.items()}

    def _log(self, level: int, subject: Hashable, text: str) -> None:
        if self._throttle.is_due(subject, text):
            log.log(level, "%s", text)


def hint(children: Sequence[str]) -> str:
    """Returns the likely reason why a base path has no versions."""
    if "saved_model.pb" in children:
        return ": it is a SavedModel itself; put it into a numbered folder, and name the parent"
    return ": waiting for a numbered folder in it"
