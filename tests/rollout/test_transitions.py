"""The desired versions and labels of each command."""

from __future__ import annotations

import pytest
from seq2sum_serving.rollout import transitions
from support.situations import current

ONE = {"stable": 1, "canary": 1}
TWO = {"stable": 2, "canary": 2, "previous": 1}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (current("1", "1A", **ONE), True),
        (current("1 2", "1A 2A", stable=1, canary=2), True),
        (current("1", "1A", stable=1), False),
        (current(None, "1A", **ONE), False),
        (current("all", "1A", **ONE), False),
    ],
)
def test_is_adopted_requires_a_specific_policy_and_both_labels(now, expected):
    assert transitions.is_adopted(now) is expected


TRANSITIONS = {
    "adopt the newest version that is AVAILABLE everywhere": (
        current("all", "1A 2A 3L", "1A 2A", on_disk="1 2 3"),
        transitions.adopt,
        ({2}, {"stable": 2, "canary": 2}),
    ),
    "adopt keeps stable and canary": (
        current("1 2 3", "1A 2A 3A", stable=2, canary=3, previous=1),
        transitions.adopt,
        ({1, 2, 3}, {"stable": 2, "canary": 3, "previous": 1}),
    ),
    "adopt keeps labels that rollouts do not own": (
        current("1", "1A", theirs=1),
        transitions.adopt,
        ({1}, {**ONE, "theirs": 1}),
    ),
    "load sets no label": (
        current("1", "1A", **ONE),
        lambda now: transitions.load(now, 2),
        ({1, 2}, ONE),
    ),
    "promote the stable version changes nothing": (
        current("1 2", "1A 2A", **TWO),
        lambda now: transitions.promote(now, 2),
        ({1, 2}, TWO),
    ),
    "promote the first version sets no previous": (
        current("", "", on_disk="1"),
        lambda now: transitions.promote(now, 1),
        ({1}, ONE),
    ),
    "first promotion keeps the serving version": (
        current("all", "1A 2L", on_disk="1 2"),
        lambda now: transitions.promote(now, 2),
        ({1, 2}, TWO),
    ),
    "first promotion drops a version that a server fell back to": (
        current(None, "1A 2L", on_disk="1 2"),
        lambda now: transitions.promote(now, 2),
        ({2}, {"stable": 2, "canary": 2}),
    ),
    "promote a lower version keeps no higher one": (
        current("2", "2A", on_disk="1 2", stable=2, canary=2),
        lambda now: transitions.promote(now, 1),
        ({1}, ONE),
    ),
    "rollback takes the version out": (
        current("1 2", "1A 2A", **TWO),
        transitions.rollback,
        ({1}, ONE),
    ),
    "rollback of a canary keeps the previous version": (
        current("1 2 3", "1A 2A 3A", stable=2, canary=3, previous=1),
        transitions.rollback,
        ({1, 2}, TWO),
    ),
    "a candidate group judges the version next to the stable one": (
        current("1 2", "1A 2A", **TWO, theirs=1),
        lambda now: transitions.judge_in_candidate_group(now, 3),
        ({1, 2, 3}, {"theirs": 1, "stable": 3, "canary": 3}),
    ),
    "a candidate group without a run has the stable version only": (
        current("1 2", "1A 2A", **TWO),
        transitions.clear_candidate_group,
        ({2}, {"stable": 2, "canary": 2}),
    ),
    "retire removes the label": (
        current("1 2", "1A 2A", **TWO),
        lambda now: transitions.retire(now, 1),
        ({2}, {"stable": 2, "canary": 2}),
    ),
    "retire keeps other loaded versions": (
        current("1 2 3", "1A 2A 3A", **ONE),
        lambda now: transitions.retire(now, 3),
        ({1, 2}, ONE),
    ),
}


@pytest.mark.parametrize(("now", "transition", "desired"), TRANSITIONS.values(), ids=TRANSITIONS)
def test_transition_returns_versions_and_labels(now, transition, desired):
    found = transition(now)
    assert (set(found.versions), dict(found.labels)) == desired
