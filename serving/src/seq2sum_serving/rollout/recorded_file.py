"""Parts of the commands that write files of a loaded version, by which versions are judged.

They change no server. A file is written as a whole, and only replaces another one by `--force`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import seq2sum

from seq2sum_serving.deployment import atomic_file
from seq2sum_serving.deployment.errors import Failed, Refused, UsageError
from seq2sum_serving.deployment.plain_text import one_line
from seq2sum_serving.deployment.replicas import error_text
from seq2sum_serving.rollout.command_context import CommandContext

STANDARD = Path("-")
"""Stands for standard input, or for standard output."""
MAX_ERROR_CHARACTERS = 600
"""Of an error of a server, which may be many lines."""


def given_version(context: CommandContext) -> int:
    """Returns the version of the command line, or else the stable one."""
    version: int | None = context.arguments.version
    if version is None:
        version = context.executor.observe_files().stable
    if version is None:
        raise Refused("no version is stable in the model config file: give a version")
    return version


def first_client(context: CommandContext) -> seq2sum.ModelClient:
    """Returns a client of the first replica."""
    return next(iter(context.executor.replicas.clients().values()))


@contextmanager
def call_errors(client: seq2sum.ModelClient, version: int, place: str = "") -> Iterator[None]:
    """Turns errors of calls into errors of commands."""
    start = f"{place}: " if place else ""

    def text(error: seq2sum.Seq2SumError) -> str:
        return one_line(error_text(error), max_characters=MAX_ERROR_CHARACTERS)

    try:
        yield
    except (seq2sum.VersionNotFound, seq2sum.ModelNotFound) as error:
        raise Refused(
            f"version {version} is not loaded on {client.target}: load it first, for example with "
            f"`canary {version}` ({text(error)})"
        ) from error
    except seq2sum.InvalidRequest as error:
        kind = UsageError if place else Failed
        raise kind(f"{start}version {version} does not accept it: {text(error)}") from error
    except seq2sum.Seq2SumError as error:
        raise Failed(f"{start}{client.target} does not answer: {text(error)}") from error


def writable_path(context: CommandContext, version: int, name: Path) -> Path:
    """Returns the path of the file to write, after checking that it can be written.

    Raises:
        Refused: It exists, and `--force` is not given; it is part of a read-only volume; or the
            version is not on disk, and `--out` is not given.
        Failed: Its folder is missing or not writable.
        UsageError: `--out` is standard output.
    """
    arguments, store = context.arguments, context.executor.store
    if arguments.out == STANDARD:
        raise UsageError("--out -: expected a file, because standard output is for the result")
    if arguments.out is None and version not in store.versions():
        on_disk = ", ".join(map(str, store.versions())) or "none"
        raise Refused(
            f"version {version} is not on disk (on disk: {on_disk}): name a file with --out"
        )
    path: Path = arguments.out or store.folder(version) / name
    if path.exists() and not arguments.force:
        raise Refused(f"{path} exists: replace it with --force, or name another file with --out")
    folder = path.parent
    if arguments.out is None and not folder.exists():
        folder = folder.parent
    try:
        if not folder.is_dir() and folder.exists():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
        atomic_file.check_replaceable(folder / path.name)
    except OSError as error:
        raise Failed(f"cannot write {path}: {error.strerror}") from error
    return path


def write(path: Path, text: str) -> None:
    """Writes a file, after creating `assets.extra/` if it is missing.

    Raises:
        Failed: It cannot be written.
    """
    try:
        path.parent.mkdir(exist_ok=True)
        atomic_file.write(path, text)
    except OSError as error:
        raise Failed(f"cannot write {path}: {error.strerror}") from error


def show_written(context: CommandContext, what: str, path: Path) -> None:
    """Shows which file was written, or would be."""
    if context.arguments.dry_run:
        context.show_plan([f"write {what} to {path}"])
    else:
        context.show(f"wrote {what} to {path}")
