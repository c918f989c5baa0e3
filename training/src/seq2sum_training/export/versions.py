"""Version directories below a model's base path, and how one gets there.

A server polls the base path and loads any child whose name is a number as soon as it is
there. So a version is prepared beside, under a name that is no number, and appears by one
rename, whole. What a killed process leaves behind is called `.publishing-…`; no server looks
at it, and it can be deleted.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seq2sum import model_versions

from seq2sum_training.errors import UserError


def existing(base: Path) -> list[int]:
    """Numbers of the versions below `base`, in order; empty if there is no such folder."""
    if not base.is_dir():
        return []
    numbers = (model_versions.directory_version(entry.name) for entry in base.iterdir())
    return sorted(number for number in numbers if number is not None)


@contextmanager
def publishing(base: Path, version: int | None) -> Iterator[tuple[Path, int]]:
    """A staging folder that becomes `<base>/<version>` when the block ends without an error.

    Args:
        base: The model's base path; made if it is not there.
        version: Its number; None for the one after the highest that is there.

    Raises:
        UserError: The version exists, or the base path cannot be written.
    """
    number = number_for(base, version)
    staging = base / f".publishing-{number}-{uuid.uuid4().hex}"
    made_base = not base.exists()
    try:
        staging.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"cannot write below {base}: {error.strerror}") from error
    try:
        yield staging, number
        number_for(base, number)  # another process may have taken it meanwhile
        try:
            _to_disk(staging)
            # Fails on a directory that is not empty: the loser of a race loses cleanly.
            os.rename(staging, base / str(number))
        except OSError as error:
            raise UserError(f"cannot publish {base / str(number)}: {error.strerror}") from error
        _sync(base)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if made_base:
            with suppress(OSError):  # it holds the version: all went well
                base.rmdir()


def number_for(base: Path, version: int | None) -> int:
    """Returns the number to publish under: `version`, or one more than the highest.

    Raises:
        UserError: It is taken, or there is no higher one.
    """
    numbers = existing(base)
    highest = max([0, *numbers])  # a negative number is a version, too
    if version is not None and version not in numbers:
        return version
    if highest < model_versions.LARGEST_VERSION:
        if version is None:
            return highest + 1
        advice = f"the next free one is {highest + 1}"
    else:
        advice = (
            f"version {highest} is the highest that a server can load, so there is no next one: "
            "pass a free number with --version"
        )
    if version is None:
        raise UserError(f"cannot number the next version in {base}: {advice}")
    raise UserError(f"version {version} exists in {base}: versions are never overwritten; {advice}")


def _to_disk(folder: Path) -> None:
    for parent, _, files in os.walk(folder):
        for name in files:
            _sync(Path(parent, name))
        _sync(Path(parent))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
