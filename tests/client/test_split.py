"""Traffic splits by weight: keys are sticky, and changed weights move as few as possible."""

from __future__ import annotations

from collections import Counter

import pytest
import seq2sum
from seq2sum._split import parse_variant

KEYS = [f"user-{i}" for i in range(20_000)]


def share(split, variant):
    return Counter(split.choose(key) for key in KEYS)[variant] / len(KEYS)


@pytest.mark.parametrize("weight", [1, 5, 50, 100])
def test_keys_are_distributed_by_weight(weight):
    # The standard deviation of 20,000 draws is at most 0.0036; the keys are fixed.
    assert share(seq2sum.Split(stable=100 - weight, canary=weight), "canary") == pytest.approx(
        weight / 100, abs=0.01
    )


def test_key_keeps_its_variant():
    split = seq2sum.Split(stable=50, canary=50)
    reordered = seq2sum.Split({"canary": 50, "stable": 50})
    for key in KEYS[:500]:
        assert split.choose(key) == reordered.choose(key)
    assert split.choose("user") == split.choose(b"user")


def test_growing_weight_moves_keys_only_to_its_variant():
    before, after = seq2sum.Split(stable=95, canary=5), seq2sum.Split(stable=90, canary=10)
    moved = [(before.choose(key), after.choose(key)) for key in KEYS]
    assert ("canary", "stable") not in moved
    assert ("stable", "canary") in moved


def test_calls_without_key_are_random():
    split = seq2sum.Split({3: 1, 4: 1, "canary": 0})
    assert {split.choose() for _ in range(200)} == {3, 4}


def test_one_variant_can_get_all_traffic():
    assert {seq2sum.Split(stable=0, canary=1).choose(key) for key in KEYS[:100]} == {"canary"}


@pytest.mark.parametrize(
    ("name", "variant"),
    [("stable", "stable"), ("3", 3), ("0", 0), ("007", 7), ("3a", "3a"), ("-3", "-3"), ("٣", "٣")],
)
def test_parse_variant_reads_versions_and_labels(name, variant):
    assert parse_variant(name) == variant


@pytest.mark.parametrize("name", ["", "a\n", "\ud800", str(2**63), "9" * 50])
def test_parse_variant_refuses_other_texts(name):
    with pytest.raises(ValueError, match=r"^invalid (version|label)"):
        parse_variant(name)


@pytest.mark.parametrize("weights", [{}, {"a": 0}, {"a": -1, "b": 2}, {"a": float("nan")},
                                     {"a": float("inf")}, {"a": 1e308, "b": 1e308},
                                     {"a": 10**400}])  # fmt: skip
def test_invalid_weights_are_refused(weights):
    with pytest.raises(ValueError, match=r"weight|split"):
        seq2sum.Split(weights)
