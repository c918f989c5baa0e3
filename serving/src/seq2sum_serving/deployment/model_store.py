"""Version folders below a model's base path, and how one gets there: whole, by one rename."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from seq2sum import model_versions
from seq2sum.addition import contract

from seq2sum_serving.deployment import atomic_file, model_card
from seq2sum_serving.deployment.errors import Failed, Refused, UsageError

SAVED_MODEL = "saved_model.pb"
STAGING = ".publishing-"
"""What a version is called until it is whole: no number, so no server looks at it."""


class ModelStore:
    """A base path, as this machine sees it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def versions(self) -> list[int]:
        """The numbers of its versions, in order.

        Raises:
            UsageError: There is no such folder here.
        """
        try:
            names = [entry.name for entry in self.path.iterdir()]
        except OSError as error:
            raise UsageError(
                f"cannot look at the base path {self.path}: {error.strerror}. If the servers see "
                "it under another name than this machine, name it with --base-path"
            ) from error
        numbers = (model_versions.directory_version(name) for name in names)
        return sorted({number for number in numbers if number is not None})

    def folder(self, version: int) -> Path:
        """Returns the folder of a version; of several names for one number, the one servers use.

        That is the last one in order: IndexChildrenByVersion in tensorflow/serving's
        file_system_storage_path_source.cc.
        """
        for entry in sorted(self.path.iterdir(), reverse=True):
            if model_versions.directory_version(entry.name) == version:
                return entry
        return self.path / str(version)

    def publish(self, source: Path, version: int | None) -> int:
        """Copies a version folder to the next number, or to `version`; gives back the number.

        Raises:
            UsageError: The source is no version folder.
            Refused: The number is taken.
            Failed: It cannot be read or written; nothing of it is left.
        """
        number = next_version(self.versions()) if version is None else version
        self.check(source, number)
        staging = self.path / f"{STAGING}{number}-{uuid.uuid4().hex}"
        try:
            try:
                shutil.copytree(source, staging)
                model_card.renumber(staging / model_card.PLACE, number)
                for parent, _, names in os.walk(staging):
                    for name in (*names, "."):
                        atomic_file.fsync(Path(parent, name))
                # Fails on a directory that is there: the loser of a race loses cleanly.
                os.rename(staging, self.path / str(number))
                atomic_file.fsync(self.path)
            finally:
                with suppress(OSError):
                    shutil.rmtree(staging)
        except (OSError, shutil.Error) as error:
            reason = getattr(error, "strerror", None) or _first(error)
            raise self._unpublished(source, number, reason) from error
        return number

    def check(self, source: Path, number: int) -> None:
        """Checks that a folder can be published under a number; writes nothing.

        Raises:
            UsageError: The source is no version folder.
            Refused: The number is taken.
            Failed: A file cannot be copied, or the base path cannot be written.
        """
        if not (source / SAVED_MODEL).is_file():
            raise UsageError(f"{source} is no version to publish: it has no {SAVED_MODEL}")
        there = self.versions()
        if number in there:
            raise Refused(
                f"version {number} exists in {self.path}: versions are never overwritten; the "
                f"next free one is {next_version(there)}"
            )
        try:
            atomic_file.check_access(self.path, os.W_OK | os.X_OK)
        except OSError as error:
            raise self._unpublished(source, number, str(error.strerror)) from error
        try:
            atomic_file.check_copyable(source)
        except OSError as error:
            raise self._unpublished(source, number, str(error)) from error

    def _unpublished(self, source: Path, number: int, reason: str) -> Failed:
        return Failed(
            f"cannot publish {source} as {self.path / str(number)}: {reason}. Nothing of it is "
            "left there"
        )


def read_contract(folder: Path) -> dict[str, Any] | None:
    """Returns what a version says of itself; None if it says nothing.

    Raises:
        Refused: What it says is not a JSON object.
    """
    path = folder / "assets.extra" / contract.FILE_NAME
    try:
        told = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(f"cannot read {path}: {error}. Export the version anew") from error
    if not isinstance(told, dict):
        raise Refused(f"{path} is no contract: export the version anew")
    return told


def next_version(used: Iterable[int]) -> int:
    """Returns the number after all that are used.

    Raises:
        Refused: A server could not load it: version numbers are int64.
    """
    highest = max([0, *used])  # a negative number is a version, too
    if highest >= model_versions.LARGEST_VERSION:
        raise Refused(
            f"version {highest} exists, the highest that a server can load: there is no next "
            "number. Take that version out of service, and publish it under a lower number"
        )
    return highest + 1


def _first(error: Exception) -> str:
    """What was wrong with the first file of a folder that could not be copied."""
    told = error.args[0] if error.args else error
    return str(told[0][2]) if isinstance(told, list) and told else str(told)
