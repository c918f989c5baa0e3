"""Chunks of questions: complete, in order, bounded in rows and bytes."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seq2sum._calls import BYTES_PER_CALL, ROWS_PER_CALL
from seq2sum.addition.chunks import (
    async_chunks,
    chunks,
    encoded,
)


def test_chunks_are_bounded_in_rows():
    parts = list(chunks("1+1" for _ in range(10_000)))
    assert [len(part.questions) for part in parts] == [ROWS_PER_CALL, ROWS_PER_CALL, 1808]


def test_chunks_read_no_further_than_needed():
    read = []

    def source():
        for i in range(100):
            read.append(i)
            yield f"{i}+1"

    parts = chunks(source(), rows=10)
    next(parts)
    assert len(read) == 10


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    sizes=st.lists(st.sampled_from([0, 5, BYTES_PER_CALL // 3, BYTES_PER_CALL, 2 * BYTES_PER_CALL]),
                   max_size=12),
    rows=st.integers(1, 5),
)  # fmt: skip
def test_chunks_are_bounded_in_bytes_and_complete(sizes, rows):
    questions = ["x" * size for size in sizes]
    parts = list(chunks(questions, rows=rows))
    assert [question for part in parts for question in part.questions] == questions
    for part in parts:
        assert 1 <= len(part.questions) <= rows
        assert part.encoded == [question.encode() for question in part.questions]
        size = sum(map(len, part.encoded))
        assert size <= BYTES_PER_CALL or len([text for text in part.encoded if text]) == 1


@pytest.mark.parametrize("value", [None, 12, 1.5, ["1+2"], object()])
def test_values_that_are_not_text_are_sent_as_empty_questions(value):
    [part] = chunks(["1+2", value])
    assert part.questions == ["1+2", value]
    assert part.encoded == [b"1+2", b""]


def test_surrogates_are_encoded():
    assert encoded("1+\ud800") == b"1+\xed\xa0\x80"
    [part] = chunks(["1+\ud800", b"\xff"])
    assert part.encoded == [b"1+\xed\xa0\x80", b"\xff"]


def test_async_chunks_equal_chunks():
    async def source():
        for i in range(25):
            await asyncio.sleep(0)
            yield f"{i}+1"

    async def gathered(questions):
        return [part async for part in async_chunks(questions, rows=10)]

    plain = [f"{i}+1" for i in range(25)]
    assert asyncio.run(gathered(source())) == list(chunks(plain, rows=10))
    assert asyncio.run(gathered(plain)) == list(chunks(plain, rows=10))
