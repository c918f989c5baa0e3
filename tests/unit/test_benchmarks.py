"""The benchmarks of training: what they plan and how they choose, without running them."""

from __future__ import annotations

import dataclasses
import json

import small_networks
import trials
from conftest import ROOT
from seq2sum_training import recipe

import training

MEASURED = ROOT / "training" / "measured"
OUTCOME = trials.Outcome(
    name="paired-simple_rnn-8-8-1",
    recipe="fast",
    settings=(),
    parameters=1284,
    multiply_adds=768,
    cpu_seconds=10.4,
    steps=8000,
    errors=0,
    never_trained_errors=0,
    questions=1_000_000,
)


def outcome(size, seed, operations, errors=0, unseen=0):
    return dataclasses.replace(
        OUTCOME,
        name=f"{size}-{seed}",
        multiply_adds=operations,
        errors=errors,
        never_trained_errors=unseen,
    )


def test_every_planned_trial_is_a_recipe_and_has_a_name_of_its_own():
    planned = [trial for _, trial in small_networks.planned(range(1, 4))]
    assert len({trial.name for trial in planned}) == len(planned) > 30
    for trial in planned:
        assert recipe.load(trial.recipe, trial.settings)
    assert [recipe.load(name) for name in training.RECIPES]


def test_sizes_are_chosen_by_training_pairs_alone_the_cheapest_first():
    outcomes = [
        outcome("large", 1, 2000),
        outcome("small", 1, 500, errors=3),
        outcome("middle", 1, 1000),
        outcome("middle", 2, 1000, errors=2, unseen=2),
        outcome("large", 2, 2000),
    ]
    assert small_networks.clean(outcomes) == ["middle", "large"]


def test_a_table_has_a_row_for_each_size():
    lines = small_networks.table([outcome("a-b", 1, 500, errors=1234), outcome("a-b", 2, 500)])
    assert lines.splitlines()[2:] == ["| a b | 1,284 | 500 | 10-10 | 1,234, 0 |"]


def test_what_was_measured_is_what_the_recipe_says():
    """`fast` is the size that the search found; its figures are of this very recipe."""
    rows = json.loads((MEASURED / "small-networks.json").read_text())
    fast = recipe.load("fast")
    ours = [row for row in rows if recipe.load("fast", [*row["settings"], "seed=1"]) == fast]
    assert len(ours) >= 5
    assert {row["errors"] for row in ours} == {0}
    cheaper = {
        small_networks.size_of(row["name"])
        for row in rows
        if row["multiply_adds"] < ours[0]["multiply_adds"]
    }
    for size in cheaper:
        assert any(row["errors"] for row in rows if small_networks.size_of(row["name"]) == size)
