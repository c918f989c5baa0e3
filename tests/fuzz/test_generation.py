"""Inputs depend on the seed and the number only, and are mostly valid."""

from __future__ import annotations

import collections
import random

import pytest
from fuzz import generation, sending
from fuzz.generators import rest
from fuzz.generators.chance import Chance
from fuzz.inputs import Call, Conversation, Rest
from fuzz.json_text import Pairs, Raw, read, written

SEED = 5
NUMBERS = range(600)


def test_a_case_is_the_same_whatever_was_made_before():
    forward = [generation.case(SEED, number) for number in NUMBERS]
    random.seed(1)
    backward = [generation.case(SEED, number) for number in reversed(NUMBERS)]
    assert forward == backward[::-1]
    assert forward != [generation.case(SEED + 1, number) for number in NUMBERS]


def test_every_kind_of_input_is_made():
    cases = [generation.case(SEED, number) for number in NUMBERS]
    counts = collections.Counter(case.kind for case in cases)
    assert set(counts) == set(generation.GENERATORS)
    assert {type(case.input) for case in cases} == {Call, Rest, Conversation}


def test_bodies_may_lose_all_of_their_members():
    bodies = {rest.body(Chance(seed), [(b'"inputs"', Raw(b"1"))]) for seed in range(2000)}
    assert b"{}" in bodies


def test_kinds_can_be_left_out():
    wanted = frozenset({"http"})
    found = filter(None, (generation.case(SEED, number, wanted) for number in NUMBERS))
    assert {case.kind for case in found} == wanted


@pytest.mark.parametrize(
    "text",
    [
        b"1e400",
        b'{"a":1,"a":2}',
        b'[[],{},"\xff",NaN,-0,1.50]',
        b'"\\u0000"',
    ],
)
def test_json_is_written_as_it_was_read(text):
    assert written(read(text)) == text


def test_a_tree_of_any_depth_is_written():
    tree = Raw(b"1")
    for _ in range(50_000):
        tree = [tree]
    assert (
        written(Pairs(((b'"x"', tree),))) == b'{"x":' + b"[" * 50_000 + b"1" + b"]" * 50_000 + b"}"
    )


def test_a_whole_conversation_is_what_its_messages_say():
    found = (generation.case(SEED, number, frozenset({"http"})) for number in NUMBERS)
    whole = [one.input for one in filter(None, found) if one.input.cut is None]
    assert whole
    for conversation in whole:
        parts = map(sending.message_bytes, conversation.messages)
        assert sending.wire(conversation) == b"".join(parts) + conversation.noise
