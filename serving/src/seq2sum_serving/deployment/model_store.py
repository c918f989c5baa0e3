"""The base path of a model: its version folders, and how a new one is published."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from seq2sum import model_versions

from seq2sum_serving.deployment import atomic_file
from seq2sum_serving.deployment.errors import Failed, Refused, UsageError

SAVED_MODEL = "saved_model.pb"
EXTRA = "assets.extra"
"""The folder of a version for files that servers do not read."""
MODEL_CARD = Path(EXTRA, "model_card.md")
"""Written by `seq2sum-train export`."""
CARD_TITLE = re.compile(rb"\A(# [^\r\n]*, version )[0-9]+(?=[ \t\r]*$)", re.MULTILINE)
"""First line of a model card, up to the version number."""


class ModelStore:
    """A base path, as this machine sees it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def versions(self) -> list[int]:
        """Returns the version numbers in ascending order.

        Raises:
            UsageError: The folder does not exist on this machine.
        """
        try:
            names = [entry.name for entry in self.path.iterdir()]
        except OSError as error:
            raise UsageError(
                f"cannot read the base path {self.path}: {error.strerror}. If this machine sees it "
                "at another path than the servers, give it with --base-path"
            ) from error
        numbers = (model_versions.directory_version(name) for name in names)
        return sorted({number for number in numbers if number is not None})

    def folder(self, version: int) -> Path:
        """Returns the folder of a version; if several names mean this number, the one servers use.

        That is the last one in alphabetical order: IndexChildrenByVersion in tensorflow/serving's
        file_system_storage_path_source.cc.
        """
        for entry in sorted(self.path.iterdir(), reverse=True):
            if model_versions.directory_version(entry.name) == version:
                return entry
        return self.path / str(version)

    def publish(self, source: Path, version: int | None) -> int:
        """Copies a version folder to `version`, or to the next number; returns the number.

        Raises:
            UsageError: The source is not a version folder.
            Refused: The number is taken.
            Failed: It could not be copied; no part of the copy is left.
        """
        number = next_version(self.versions()) if version is None else version
        self.check(source, number)
        try:
            atomic_file.copy_folder(
                source, self.path / str(number), lambda copy: _renumber(copy / MODEL_CARD, number)
            )
        except (OSError, shutil.Error) as error:
            reason = getattr(error, "strerror", None) or _first_reason(error)
            raise self._cannot_publish(source, number, reason) from error
        return number

    def check(self, source: Path, number: int) -> None:
        """Checks that a folder can be published under a number; writes nothing.

        Raises:
            UsageError: The source is not a version folder.
            Refused: The number is taken.
            Failed: A file cannot be copied, or the base path is not writable.
        """
        if not (source / SAVED_MODEL).is_file():
            raise UsageError(f"{source} is not a version folder: it has no {SAVED_MODEL}")
        versions = self.versions()
        if number in versions:
            raise Refused(
                f"version {number} exists in {self.path}: versions are never overwritten; the "
                f"next free one is {next_version(versions)}"
            )
        try:
            atomic_file.check_access(self.path, os.W_OK | os.X_OK)
        except OSError as error:
            raise self._cannot_publish(source, number, str(error.strerror)) from error
        try:
            atomic_file.check_copyable(source)
        except OSError as error:
            raise self._cannot_publish(source, number, str(error)) from error

    def _cannot_publish(self, source: Path, number: int, reason: str) -> Failed:
        return Failed(
            f"cannot publish {source} as {self.path / str(number)}: {reason}. No part of it was "
            "left behind"
        )


def next_version(used: Iterable[int]) -> int:
    """Returns the number after the highest one in use.

    Raises:
        Refused: A server could not load it: version numbers are int64.
    """
    highest = max([0, *used])  # a version may be negative
    if highest >= model_versions.LARGEST_VERSION:
        raise Refused(
            f"version {highest} exists, the highest that a server can load: no number is left "
            "after it. Take that version out of service, and publish it under a lower number"
        )
    return highest + 1


def _renumber(card: Path, version: int) -> None:
    """Writes a version into the title of a model card, if there is a card with such a title."""
    with suppress(FileNotFoundError):
        text = card.read_bytes()
        renumbered = CARD_TITLE.sub(rb"\g<1>%d" % version, text)
        if renumbered != text:
            atomic_file.write(card, renumbered)


def _first_reason(error: Exception) -> str:
    """Returns the error of the first file that `shutil.copytree` could not copy."""
    reason = error.args[0] if error.args else error
    return str(reason[0][2]) if isinstance(reason, list) and reason else str(reason)
