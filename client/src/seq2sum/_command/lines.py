"""Questions from files and pipes: one a line, in order, in bounded memory.

A line ends with a newline or a carriage return and a newline. Nothing else is interpreted: an
empty line is a question too, a malformed one, so that the rows of the answers are the lines of
the input. Lines that are no UTF-8 are questions of bytes.
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

from seq2sum._command.complaints import Failure, Mistake
from seq2sum.addition.answers import Question

BLOCK = 1 << 16
"""Bytes of one read: large enough to cost nothing a line, small against a file."""
LONGEST_LINE = 1 << 20
"""Bytes of a line that are kept. No question is as long, and a server refuses a call of 4 MB."""
CUT = "…".encode()
"""Ends a line that was cut: no digits follow, so that it cannot become a question by the cut."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
STANDARD_INPUT = 0


@dataclass(frozen=True, slots=True)
class Source:
    """Where lines come from."""

    name: str
    """As messages call it."""
    file: str | int
    """A path, or a file descriptor that is open already."""
    size: int | None
    """Bytes, if that is known before."""

    @classmethod
    def of(cls, path: str) -> Source:
        """A file, or standard input for `-`.

        Raises:
            Mistake: It cannot be read.
        """
        name, file = ("standard input", STANDARD_INPUT) if path == "-" else (path, path)
        if file == STANDARD_INPUT and sys.stdin is None:
            raise Mistake("standard input is closed: give questions as arguments or by --input")
        try:
            status = os.fstat(file) if isinstance(file, int) else Path(file).stat()
        except (OSError, ValueError) as error:  # a path with NUL in it is a ValueError
            reason = getattr(error, "strerror", None) or error
            raise Mistake(f"cannot read {name}: {reason}") from error
        if stat.S_ISDIR(status.st_mode):
            raise Mistake(f"cannot read {name}: it is a directory")
        if isinstance(file, str) and not os.access(file, os.R_OK):
            raise Mistake(f"cannot read {name}: Permission denied")
        return cls(name, file, status.st_size if stat.S_ISREG(status.st_mode) else None)


class Lines:
    """The lines of sources, one after the other, and where each came from."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._begins: list[int] = []
        self.taken = 0
        """Lines that were read so far; some of them wait for their call."""
        self.bytes = 0
        """Bytes that were read so far."""

    def __iter__(self) -> Iterator[Question]:
        """Every line as a question. To be taken once."""
        return chain.from_iterable(self._blocks())

    @property
    def size(self) -> int | None:
        """Bytes of all sources together, if that is known."""
        sizes = [source.size for source in self._sources]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def origin(self, row: int) -> str:
        """Which file and line a row is, counted from 0 over all sources."""
        source = bisect_right(self._begins, row) - 1
        return f"{self._sources[source].name}:{row - self._begins[source] + 1}"

    def _blocks(self) -> Iterator[list[Question]]:
        for source in self._sources:
            self._begins.append(self.taken)
            for block in blocks(self._parts(source)):
                self.taken += len(block)
                yield block

    def _parts(self, source: Source) -> Iterator[bytes]:
        try:
            with io.FileIO(source.file, closefd=isinstance(source.file, str)) as file:
                while (part := file.read(BLOCK)) != b"":
                    if part is None:  # whoever opened it wants no waiting; we do
                        select.select([file], [], [])
                        continue
                    self.bytes += len(part)
                    yield part
        except OSError as error:
            raise Failure(f"cannot read {source.name}: {error.strerror}") from error


def blocks(parts: Iterable[bytes]) -> Iterator[list[Question]]:
    """The lines of a text that comes in parts, as soon as they are whole."""
    rest, first = b"", True
    for part in parts:
        end = part.rfind(b"\n")
        if end < 0:
            if len(rest) <= LONGEST_LINE:  # of a longer one the end is dropped
                rest += part
            continue
        if len(rest) > LONGEST_LINE:
            start = part.find(b"\n")
            rest, whole = part[end + 1 :], rest[:LONGEST_LINE] + CUT + part[start:end]
        else:
            rest, whole = part[end + 1 :], rest + part[:end]
        yield split(whole.removeprefix(BYTE_ORDER_MARK) if first else whole)
        first = False
    if len(rest) > LONGEST_LINE:
        rest = rest[:LONGEST_LINE] + CUT
    if first:
        rest = rest.removeprefix(BYTE_ORDER_MARK)
    if rest:
        yield split(rest)


def split(whole: bytes) -> list[Question]:
    """The lines of a text whose last newline is cut off."""
    try:
        text = whole.decode()
    except UnicodeDecodeError:
        return [_question(line.removesuffix(b"\r")) for line in whole.split(b"\n")]
    lines: list[Question] = list(text.split("\n"))
    if "\r" in text:
        return [line.removesuffix("\r") for line in text.split("\n")]
    return lines


def _question(line: bytes) -> Question:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line
