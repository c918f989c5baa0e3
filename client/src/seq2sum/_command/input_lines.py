"""Questions or rows from files and pipes: one per line, in order, in bounded memory.

A line ends with a newline, or with a carriage return and a newline. Every line counts, even
an empty or malformed one, so that output rows correspond to input lines. Lines that are not UTF-8
stay bytes.
"""

from __future__ import annotations

import io
import os
import select
import stat
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from seq2sum._command.errors import CommandError, UsageError

BLOCK = 1 << 16
"""Bytes per read."""
MAX_LINE = 1 << 20
"""Bytes of a line that are kept: a server refuses calls of more than 4 MB."""
CUT = "…".encode()
"""Appended to a truncated line, so that truncation never makes a valid question."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
STANDARD_INPUT = 0

Line = str | bytes
"""Text, or bytes that are not UTF-8."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file or pipe from which lines are read."""

    name: str
    """Name in messages."""
    file: str | int
    """Path, or an open file descriptor."""
    size: int | None
    """Bytes, if it is a regular file."""

    @classmethod
    def from_path(cls, path: str) -> Source:
        """Returns the source for a file, or for standard input if the path is `-`.

        Raises:
            UsageError: The file cannot be read.
        """
        name, file = ("standard input", STANDARD_INPUT) if path == "-" else (path, path)
        if file == STANDARD_INPUT and sys.stdin is None:
            raise UsageError("standard input is closed: name a file with --input")
        try:
            status = os.fstat(file) if isinstance(file, int) else Path(file).stat()
        except (OSError, ValueError) as error:  # ValueError for a path with NUL
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"cannot read {name}: {reason}") from error
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(f"cannot read {name}: it is a directory")
        if isinstance(file, str) and not os.access(file, os.R_OK):
            raise UsageError(f"cannot read {name}: Permission denied")
        return cls(name, file, status.st_size if stat.S_ISREG(status.st_mode) else None)


class InputLines:
    """The lines of several sources in order, with the origin of each line."""

    def __init__(self, sources: Sequence[Source], *, max_line: int = MAX_LINE) -> None:
        self._sources, self._max_line = sources, max_line
        self._starts: list[int] = []
        self.taken = 0
        """Lines read so far, including those that wait for their call."""
        self.bytes = 0
        """Bytes read so far."""

    def __iter__(self) -> Iterator[Line]:
        """Yields every line; can be iterated once."""
        return chain.from_iterable(self._blocks())

    @property
    def size(self) -> int | None:
        """Bytes of all sources together, if known."""
        sizes = [source.size for source in self._sources]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def origin(self, row: int) -> str:
        """Returns file and line of a row, counted from 0 over all sources: `questions.txt:3`."""
        source = bisect_right(self._starts, row) - 1
        return f"{self._sources[source].name}:{row - self._starts[source] + 1}"

    def _blocks(self) -> Iterator[list[Line]]:
        for source in self._sources:
            self._starts.append(self.taken)
            for block in blocks(self._parts(source), self._max_line):
                self.taken += len(block)
                yield block

    def _parts(self, source: Source) -> Iterator[bytes]:
        try:
            with io.FileIO(source.file, closefd=isinstance(source.file, str)) as file:
                while (part := file.read(BLOCK)) != b"":
                    if part is None:  # an empty pipe that was opened as non-blocking
                        select.select([file], [], [])
                        continue
                    self.bytes += len(part)
                    yield part
        except OSError as error:
            raise CommandError(f"cannot read {source.name}: {error.strerror}") from error


def blocks(parts: Iterable[bytes], max_line: int = MAX_LINE) -> Iterator[list[Line]]:
    """Yields the lines of a text that arrives in parts, as soon as they are complete."""
    rest, first = b"", True
    for part in parts:
        end = part.rfind(b"\n")
        if end < 0:
            if len(rest) <= max_line:  # the end of a longer line is dropped
                rest += part
            continue
        if len(rest) > max_line:
            start = part.find(b"\n")
            rest, complete = part[end + 1 :], rest[:max_line] + CUT + part[start:end]
        else:
            rest, complete = part[end + 1 :], rest + part[:end]
        yield split(complete.removeprefix(BYTE_ORDER_MARK) if first else complete)
        first = False
    if len(rest) > max_line:
        rest = rest[:max_line] + CUT
    if first:
        rest = rest.removeprefix(BYTE_ORDER_MARK)
    if rest:
        yield split(rest)


def split(content: bytes) -> list[Line]:
    """Splits a text, given without its last newline, into lines."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return [_line(line.removesuffix(b"\r")) for line in content.split(b"\n")]
    lines: list[Line] = list(text.split("\n"))
    if "\r" in text:
        return [line.removesuffix("\r") for line in text.split("\n")]
    return lines


def _line(line: bytes) -> Line:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line
