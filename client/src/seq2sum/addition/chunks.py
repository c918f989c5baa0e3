"""Questions split into chunks for one Predict each, bounded in rows and in bytes."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import NamedTuple, TypeVar

from seq2sum._calls import BYTES_PER_CALL, ROWS_PER_CALL
from seq2sum.addition.answers import Question

MAX_BATCH_SIZE = sys.maxsize
"""The limit of `islice`."""

Questions = TypeVar("Questions")


class Chunk(NamedTuple):
    """The rows of one Predict."""

    questions: list[Question]
    """As they were given."""
    encoded: list[bytes]
    """As they are sent."""


def checked_collection(questions: Questions) -> Questions:
    """Returns the questions.

    Raises:
        TypeError: They are a single text, which is iterable too.
    """
    if isinstance(questions, str | bytes):
        raise TypeError("expected an iterable of questions, not a single text: see add()")
    return questions


def chunks(questions: Iterable[Question], *, rows: int = ROWS_PER_CALL) -> Iterator[Chunk]:
    """Yields the questions in order; the iterable is read no further than a chunk needs.

    Args:
        questions: Any iterable; an item that is not text becomes a malformed question.
        rows: Most questions of a chunk.
    """
    source = iter(questions)
    while taken := list(islice(source, rows)):
        yield from _split_by_size(Chunk(taken, _encode(taken)))


async def async_chunks(
    questions: Iterable[Question] | AsyncIterable[Question], *, rows: int = ROWS_PER_CALL
) -> AsyncIterator[Chunk]:
    """Yields as `chunks` does, from asynchronous iterables too."""
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


def encoded(question: object) -> bytes:
    """Returns the question's bytes. A value that is not text becomes the empty question."""
    if isinstance(question, str):
        return question.encode(errors="surrogatepass")
    return question if isinstance(question, bytes) else b""


def _encode(questions: list[Question]) -> list[bytes]:
    try:  # faster, where all of them are plain text
        return list(map(str.encode, questions))  # type: ignore[arg-type]  # others raise
    except (TypeError, UnicodeEncodeError):
        return list(map(encoded, questions))


def _split_by_size(chunk: Chunk) -> Iterator[Chunk]:
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
