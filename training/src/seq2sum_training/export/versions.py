"""Version directories below a model's base path.

A server polls the base path and loads a child as soon as its name is a number (tensorflow/serving,
sources/storage_path/file_system_storage_path_source.cc). So a version is written under another
name and then renamed. A killed process leaves a directory `.publishing-…`, which servers ignore
and which can be deleted.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seq2sum import model_versions

from seq2sum_training.atomic_file import publish_directory
from seq2sum_training.errors import UserError


def existing(base: Path) -> list[int]:
    """Returns the sorted version numbers below `base`; empty if the folder does not exist."""
    if not base.is_dir():
        return []
    numbers = (model_versions.directory_version(entry.name) for entry in base.iterdir())
    return sorted(number for number in numbers if number is not None)


@contextmanager
def staged_version(base: Path, version: int | None) -> Iterator[tuple[Path, int]]:
    """Yields a staging folder and its version; renames it to `<base>/<version>` after the block.

    Args:
        base: The model's base path; created if it does not exist.
        version: Version number; None for one more than the highest.

    Raises:
        UserError: The version exists, or the base path is not writable.
    """
    number = choose_version(base, version)
    staging = base / f".publishing-{number}-{uuid.uuid4().hex}"
    is_new_base = not base.exists()
    try:
        staging.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"cannot write below {base}: {error.strerror}") from error
    try:
        yield staging, number
        choose_version(base, number)  # another process may have published it meanwhile
        try:
            publish_directory(staging, base / str(number))
        except OSError as error:
            raise UserError(f"cannot publish {base / str(number)}: {error.strerror}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if is_new_base:
            with suppress(OSError):  # not empty if the version was published
                base.rmdir()


def choose_version(base: Path, version: int | None) -> int:
    """Returns the number to publish under: `version`, or one more than the highest.

    Raises:
        UserError: The version exists, or the highest one has the largest possible number.
    """
    numbers = existing(base)
    highest = max([0, *numbers])  # servers also load negative versions
    if version is not None and version not in numbers:
        return version
    if highest < model_versions.LARGEST_VERSION:
        if version is None:
            return highest + 1
        advice = f"the next free one is {highest + 1}"
    else:
        advice = (
            f"version {highest} is the highest that a server can load: "
            "pass a free number with --version"
        )
    if version is None:
        raise UserError(f"cannot choose the next version in {base}: {advice}")
    raise UserError(f"version {version} exists in {base}: versions are never overwritten; {advice}")
