"""Traffic splits: by weight, sticky, and moving as few keys as can be."""

from __future__ import annotations

from collections import Counter

import pytest
import seq2sum
from seq2sum._split import side_named

KEYS = [f"user-{i}" for i in range(20_000)]


def share(split, side):
    return Counter(split.side(key) for key in KEYS)[side] / len(KEYS)


@pytest.mark.parametrize("weight", [1, 5, 50, 100])
def test_keys_are_shared_by_weight(weight):
    # The standard deviation of 20,000 draws is at most 0.0036; the keys are fixed.
    assert share(seq2sum.Split(stable=100 - weight, canary=weight), "canary") == pytest.approx(
        weight / 100, abs=0.01
    )


def test_a_key_stays_on_its_side():
    split = seq2sum.Split(stable=50, canary=50)
    again = seq2sum.Split({"canary": 50, "stable": 50})
    assert [split.side(key) for key in KEYS[:500]] == [again.side(key) for key in KEYS[:500]]
    assert split.side("user") == split.side(b"user")


def test_a_growing_weight_only_draws_keys_to_itself():
    before, after = seq2sum.Split(stable=95, canary=5), seq2sum.Split(stable=90, canary=10)
    moved = [(before.side(key), after.side(key)) for key in KEYS]
    assert ("canary", "stable") not in moved
    assert ("stable", "canary") in moved


def test_without_a_key_sides_are_drawn():
    split = seq2sum.Split({3: 1, 4: 1, "canary": 0})
    assert {split.side() for _ in range(200)} == {3, 4}


def test_all_of_the_traffic_can_go_to_one_side():
    assert {seq2sum.Split(stable=0, canary=1).side(key) for key in KEYS[:100]} == {"canary"}


@pytest.mark.parametrize(
    ("name", "side"),
    [("stable", "stable"), ("3", 3), ("0", 0), ("007", 7), ("3a", "3a"), ("-3", "-3"), ("٣", "٣")],
)
def test_a_side_is_named_by_digits_or_by_a_label(name, side):
    assert side_named(name) == side


@pytest.mark.parametrize("name", ["", "a\n", "\ud800", str(2**63), "9" * 50])
def test_what_names_no_side_is_refused(name):
    with pytest.raises(ValueError, match="is not a"):
        side_named(name)


@pytest.mark.parametrize("weights", [{}, {"a": 0}, {"a": -1, "b": 2}, {"a": float("nan")},
                                     {"a": float("inf")}, {"a": 1e308, "b": 1e308},
                                     {"a": 10**400}])  # fmt: skip
def test_weights_that_share_nothing_are_refused(weights):
    with pytest.raises(ValueError, match=r"weight|split"):
        seq2sum.Split(weights)
