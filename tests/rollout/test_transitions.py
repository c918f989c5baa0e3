"""What a verb wants, from wherever things are: versions and labels."""

from __future__ import annotations

import pytest
from seq2sum_serving.rollout import transitions
from support.situations import current

ONE = {"stable": 1, "canary": 1}
TWO = {"stable": 2, "canary": 2, "previous": 1}


@pytest.mark.parametrize(
    ("now", "whether"),
    [
        (current("1", "1A", **ONE), True),
        (current("1 2", "1A 2A", stable=1, canary=2), True),
        (current("1", "1A", stable=1), False),
        (current(None, "1A", **ONE), False),
        (current("all", "1A", **ONE), False),
    ],
)
def test_a_model_is_taken_over_when_it_is_as_rollouts_leave_it(now, whether):
    assert transitions.adopted(now) is whether


WANTS = {
    "the newest that serves everywhere is adopted": (
        current("all", "1A 2A 3L", "1A 2A", on_disk="1 2 3"),
        transitions.adopt,
        ({2}, {"stable": 2, "canary": 2}),
    ),
    "one that is stable stays so, and its trial goes on": (
        current("1 2 3", "1A 2A 3A", stable=2, canary=3, previous=1),
        transitions.adopt,
        ({1, 2, 3}, {"stable": 2, "canary": 3, "previous": 1}),
    ),
    "a label that only stable and canary are missing beside is kept": (
        current("1", "1A", theirs=1),
        transitions.adopt,
        ({1}, {**ONE, "theirs": 1}),
    ),
    "what is loaded beside has no label": (
        current("1", "1A", **ONE),
        lambda now: transitions.beside(now, 2),
        ({1, 2}, ONE),
    ),
    "to promote what is stable changes nothing": (
        current("1 2", "1A 2A", **TWO),
        lambda now: transitions.promote(now, 2),
        ({1, 2}, TWO),
    ),
    "the first version has none before it": (
        current("", "", on_disk="1"),
        lambda now: transitions.promote(now, 1),
        ({1}, ONE),
    ),
    "what serves before the first rollout is kept": (
        current("all", "1A 2L", on_disk="1 2"),
        lambda now: transitions.promote(now, 2),
        ({1, 2}, TWO),
    ),
    "unless the server was told to leave it": (
        current(None, "1A 2L", on_disk="1 2"),
        lambda now: transitions.promote(now, 2),
        ({2}, {"stable": 2, "canary": 2}),
    ),
    "what a rollback leaves stays loaded": (
        current("1 2", "1A 2A", **TWO),
        transitions.rollback,
        ({1, 2}, ONE),
    ),
    "unless it does not serve everywhere": (
        current("1 2", "1A 2A", "1A 2F", stable=1, canary=2),
        transitions.rollback,
        ({1}, ONE),
    ),
    "the end of a trial leaves the version before where it is": (
        current("1 2 3", "1A 2A 3A", stable=2, canary=3, previous=1),
        transitions.rollback,
        ({1, 2, 3}, TWO),
    ),
    "what is retired loses its label": (
        current("1 2", "1A 2A", **TWO),
        lambda now: transitions.retire(now, 1),
        ({2}, {"stable": 2, "canary": 2}),
    ),
    "what is loaded besides stays when another is retired": (
        current("1 2 3", "1A 2A 3A", **ONE),
        lambda now: transitions.retire(now, 3),
        ({1, 2}, ONE),
    ),
}


@pytest.mark.parametrize(("now", "verb", "wanted"), WANTS.values(), ids=WANTS)
def test_a_verb_wants(now, verb, wanted):
    found = verb(now)
    assert (set(found.versions), dict(found.labels)) == wanted
