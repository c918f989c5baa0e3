"""Where rows go: standard output, or a file that is there as a whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from seq2sum._command.complaints import Failure, Mistake

Write = Callable[[str], None]
"""Writes rows, and hands them on at once."""


@contextmanager
def opened(output: str | None) -> Iterator[Write]:
    """Where rows go: standard output for None and `-`; a device or a pipe as it is.

    Raises:
        Mistake: There cannot be a file of this name.
        Failure: It cannot be written.
    """
    if output is None or output == "-":
        yield _standard()
        return
    path = Path(output)
    try:
        if path.is_dir():
            raise Mistake(f"cannot write {output}: it is a directory")
        whole = path.is_file() or not path.exists()
    except (OSError, ValueError) as error:
        raise Mistake(f"cannot write {output}: {_reason(error)}") from error
    with _whole(output, path) if whole else _as_it_is(output, path) as write:
        yield write


@contextmanager
def _whole(output: str, path: Path) -> Iterator[Write]:
    path = path.resolve()  # a link stays one, and what it means is replaced
    beside = path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
    try:
        file = beside.open("xb", buffering=0)
    except (OSError, ValueError) as error:
        raise Mistake(f"cannot write {output}: {_reason(error)}") from error
    try:
        with file:
            yield _writer(file, output)
            try:
                os.fsync(file.fileno())
                if path.exists():
                    os.fchmod(file.fileno(), path.stat().st_mode & 0o7777)
                os.replace(beside, path)
            except OSError as error:
                raise Failure(f"cannot write {output}: {_reason(error)}") from error
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _as_it_is(output: str, path: Path) -> Iterator[Write]:
    try:
        file = path.open("wb", buffering=0)
    except OSError as error:
        raise Mistake(f"cannot write {output}: {_reason(error)}") from error
    with file:
        yield _writer(file, output)


def _writer(file: FileIO, output: str) -> Write:
    # Without a buffer: blocks are large, and nothing is left to write when the file is closed.
    def write(rows: str) -> None:
        left = memoryview(rows.encode())
        try:
            while left:
                left = left[file.write(left) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Failure(f"cannot write {output}: {_reason(error)}") from error

    return write


def _standard() -> Write:
    out = sys.stdout

    def write(rows: str) -> None:
        if (buffer := getattr(out, "buffer", None)) is None:  # a replacement that takes text
            out.write(rows)
        else:
            buffer.write(rows.encode())
        out.flush()

    return write


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
