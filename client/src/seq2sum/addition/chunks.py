"""Questions in portions that make good calls: bounded in rows and in bytes."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from seq2sum.addition.answers import Question

ROWS_PER_CALL = 4096
"""Questions in one Predict. More brings no throughput and holds a server's batch for longer."""

MOST_ROWS = sys.maxsize
"""`islice` does not take more."""

BYTES_PER_CALL = 1 << 20
"""Bytes of questions in one Predict: proxies on the way may have gRPC's limit of 4 MB. A single
question that is larger goes alone."""


class Chunk(NamedTuple):
    """The rows of one Predict."""

    questions: list[Question]
    """As they were given."""
    encoded: list[bytes]
    """As they are sent."""


def chunks(questions: Iterable[Question], *, rows: int = ROWS_PER_CALL) -> Iterator[Chunk]:
    """The questions in their order, read no further than a chunk needs.

    Args:
        questions: Any iterable; what is no text in it becomes a malformed question.
        rows: Most questions of a chunk.
    """
    source = iter(questions)
    while taken := list(islice(source, rows)):
        yield from sized(Chunk(taken, encode(taken)))


def sized(chunk: Chunk) -> Iterator[Chunk]:
    """The chunk itself, or parts of it that are small enough in bytes."""
    if sum(map(len, chunk.encoded)) <= BYTES_PER_CALL:
        yield chunk
        return
    start = size = 0
    for row, question in enumerate(chunk.encoded):
        if size and size + len(question) > BYTES_PER_CALL:
            yield Chunk(chunk.questions[start:row], chunk.encoded[start:row])
            start, size = row, 0
        size += len(question)
    yield Chunk(chunk.questions[start:], chunk.encoded[start:])


def encode(questions: list[Question]) -> list[bytes]:
    """The questions' bytes, quickly where all of them are plain text."""
    try:
        return list(map(str.encode, questions))  # type: ignore[arg-type]  # others raise
    except (TypeError, UnicodeEncodeError):
        return list(map(encoded, questions))


def encoded(question: object) -> bytes:
    """The question's bytes. What is no text at all becomes the empty question: malformed too."""
    if isinstance(question, str):
        return question.encode(errors="surrogatepass")
    return question if isinstance(question, bytes) else b""


async def chunks_as_they_come(
    questions: Iterable[Question] | AsyncIterable[Question], *, rows: int = ROWS_PER_CALL
) -> AsyncIterator[Chunk]:
    """The same as `chunks`, for sources that are waited for too."""
    if not isinstance(questions, AsyncIterable):
        for chunk in chunks(questions, rows=rows):
            yield chunk
        return
    taken: list[Question] = []
    async for question in questions:
        taken.append(question)
        if len(taken) == rows:
            for chunk in chunks(taken, rows=rows):
                yield chunk
            taken = []
    for chunk in chunks(taken, rows=rows):
        yield chunk
