"""Output of rows: standard output, or a file that is replaced atomically."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from seq2sum._command.errors import CommandError, UsageError

Write = Callable[[str], None]
"""Writes rows without buffering."""


@contextmanager
def open_output(output: str | None) -> Iterator[Write]:
    """Opens an output: standard output for None and `-`, an existing device or pipe, or a file.

    Raises:
        UsageError: The file cannot be created.
        CommandError: Writing failed.
    """
    if output is None or output == "-":
        yield _standard_output()
        return
    path = Path(output)
    try:
        if path.is_dir():
            raise UsageError(f"cannot write {output}: it is a directory")
        regular = path.is_file() or not path.exists()
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {output}: {_reason(error)}") from error
    with _replaced(output, path) if regular else _device(output, path) as write:
        yield write


@contextmanager
def _replaced(output: str, path: Path) -> Iterator[Write]:
    path = path.resolve()  # replaces the target of a link, not the link
    partial = path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
    try:
        file = partial.open("xb", buffering=0)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {output}: {_reason(error)}") from error
    try:
        with file:
            yield _writer(file, output)
            try:
                os.fsync(file.fileno())
                if path.exists():
                    os.fchmod(file.fileno(), path.stat().st_mode & 0o7777)
                os.replace(partial, path)
            except OSError as error:
                raise CommandError(f"cannot write {output}: {_reason(error)}") from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _device(output: str, path: Path) -> Iterator[Write]:
    try:
        file = path.open("wb", buffering=0)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {_reason(error)}") from error
    with file:
        yield _writer(file, output)


def _writer(file: FileIO, output: str) -> Write:
    # Unbuffered, because blocks of rows are large, and closing the file then writes nothing.
    def write(rows: str) -> None:
        left = memoryview(rows.encode())
        try:
            while left:
                left = left[file.write(left) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CommandError(f"cannot write {output}: {_reason(error)}") from error

    return write


def _standard_output() -> Write:
    out = sys.stdout

    def write(rows: str) -> None:
        if (buffer := getattr(out, "buffer", None)) is None:  # replaced by a text stream
            out.write(rows)
        else:
            buffer.write(rows.encode())
        out.flush()

    return write


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
