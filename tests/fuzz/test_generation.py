"""Generation of inputs from a seed and a number."""

from __future__ import annotations

import collections
import random

import pytest
from fuzz import generation, sending
from fuzz.generators import rest
from fuzz.generators.seeded_random import SeededRandom
from fuzz.inputs import Call, Conversation, Rest
from fuzz.json_text import Object, Token, read, write

pytestmark = pytest.mark.tensorflow

SEED = 5
NUMBERS = range(600)


def test_case_depends_on_seed_and_number_only():
    forward = [generation.case(SEED, number) for number in NUMBERS]
    random.seed(1)
    backward = [generation.case(SEED, number) for number in reversed(NUMBERS)]
    assert forward == backward[::-1]
    assert forward != [generation.case(SEED + 1, number) for number in NUMBERS]


def test_every_kind_of_input_is_generated():
    cases = [generation.case(SEED, number) for number in NUMBERS]
    counts = collections.Counter(case.kind for case in cases)
    assert set(counts) == set(generation.GENERATORS)
    assert {type(case.input) for case in cases} == {Call, Rest, Conversation}


def test_bodies_may_lose_all_of_their_members():
    bodies = {rest.body(SeededRandom(seed), [(b'"inputs"', Token(b"1"))]) for seed in range(2000)}
    assert b"{}" in bodies


def test_kinds_can_be_excluded():
    kinds = frozenset({"http"})
    cases = filter(None, (generation.case(SEED, number, kinds) for number in NUMBERS))
    assert {case.kind for case in cases} == kinds


@pytest.mark.parametrize(
    "text",
    [
        b"1e400",
        b'{"a":1,"a":2}',
        b'[[],{},"\xff",NaN,-0,1.50]',
        b'"\\u0000"',
    ],
)
def test_json_text_round_trip(text):
    assert write(read(text)) == text


def test_deep_tree_is_written():
    tree = Token(b"1")
    for _ in range(50_000):
        tree = [tree]
    assert (
        write(Object(((b'"x"', tree),))) == b'{"x":' + b"[" * 50_000 + b"1" + b"]" * 50_000 + b"}"
    )


def test_complete_conversation_has_the_bytes_of_its_messages():
    cases = (generation.case(SEED, number, frozenset({"http"})) for number in NUMBERS)
    complete = [case.input for case in filter(None, cases) if case.input.cut is None]
    assert complete
    for conversation in complete:
        parts = map(sending.message_bytes, conversation.messages)
        assert sending.wire(conversation) == b"".join(parts) + conversation.noise
