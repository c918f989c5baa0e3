"""The benchmarks of training and of the graph: what they plan and choose, without running."""

from __future__ import annotations

import dataclasses
import json

import graph
import interleaved
import pytest
import seeds
import small_networks
import trials
from conftest import ROOT
from seq2sum_training import network, recipe

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


def test_seeds_are_planned_once_each_with_those_that_left_errors_first():
    plan = seeds.planned()
    assert len(set(plan)) == len(plan) == 50
    assert plan[:2] == [("fast", 7), ("fast", 103)]
    assert sum(name == "default" for name, _ in plan) == 10
    for pair in plan:
        trial = seeds.trial(pair)
        assert recipe.load(trial.recipe, trial.settings).seed == pair[1]


def seed_row(seed, **values):
    row = {"recipe": "fast", "seed": seed, "errors": 0, "never_trained_errors": 0, "clean": True}
    return row | {"cpu_seconds": 30.0, "recipe_digest": seeds.digest("fast", seed)} | values


def test_results_of_another_recipe_are_measured_again():
    rows = [seed_row(1), seed_row(2, recipe_digest=seeds.digest("fast", 3))]
    assert [row["seed"] for row in seeds.current(rows)] == [1]


def test_results_of_seeds_survive_a_stop_in_order(tmp_path):
    path = tmp_path / "seeds.json"
    assert seeds.read(path) == []
    rows = [seed_row(103), seed_row(7)]
    seeds.write(path, rows)
    assert [row["seed"] for row in seeds.read(path)] == [7, 103]
    assert [entry.name for entry in tmp_path.iterdir()] == ["seeds.json"]


def test_the_table_of_seeds_has_the_worst_of_each_recipe():
    bad = seed_row(2, errors=42, never_trained_errors=4, cpu_seconds=50.4)
    rows = [seed_row(1), bad, seed_row(3, cpu_seconds=20.0)]
    assert seeds.table(rows).splitlines()[2:] == ["| `fast` | 3 | 42 | 4 | 20-50, median 30 |"]


@pytest.mark.parametrize("readme", ["README.md", "training/README.md"])
def test_what_is_claimed_of_seeds_was_measured_with_these_recipes(readme):
    rows = seeds.read(MEASURED / "seeds.json")
    assert seeds.current(rows) == rows
    assert {7, 103} <= {row["seed"] for row in rows if row["recipe"] == "fast"}
    assert seeds.table(rows) in (ROOT / readme).read_text()


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
    assert ours[0]["multiply_adds"] == network.multiply_adds(fast)
    cheaper = {
        small_networks.size_of(row["name"])
        for row in rows
        if row["multiply_adds"] < ours[0]["multiply_adds"]
    }
    for size in cheaper:
        assert any(row["errors"] for row in rows if small_networks.size_of(row["name"]) == size)


def test_a_ratio_is_the_median_over_rounds():
    assert interleaved.ratio([4, 9, 2], [2, 3, 2]) == 2


def test_each_call_has_a_turn_in_every_round():
    turns = []
    calls = {name: lambda name=name: turns.append(name) for name in ("a", "b")}
    spent = interleaved.microseconds(calls, rounds=3)
    assert [len(times) for times in spent.values()] == [3, 3]
    last_of_a = len(turns) - 1 - turns[::-1].index("a")
    assert set(turns[last_of_a + 1 :]) == {"b"}


def test_the_graph_was_measured_to_reach_its_targets_as_a_server_runs_it():
    measured = json.loads((ROOT / "docs" / "graph.json").read_text())
    rows = [row for row in measured["rows"] if row["form"].endswith(", session")]
    assert {row["batch"] for row in rows} == set(graph.BATCHES)
    assert all(graph.met(row) for row in rows if row["target"])
    assert [found["different"] for found in measured["against_keras"].values()] == [0, 0]
    # Where reading is a part of the cost that one can see.
    odd = [row for row in measured["odd_rows"] if row["recipe"] == "fast"]
    assert max(row["cost"] for row in odd if row["odd"] in ("malformed", "too long")) < 1.1


def test_a_table_of_graphs_has_a_row_for_each_form():
    row = {"per_cpu_second": 1_234_567, "times_stock": 59.94}
    rows = [row | {"form": "fast, session", "batch": batch} for batch in graph.BATCHES]
    assert graph.table(rows).splitlines()[2].startswith("| fast, session | 1.23M (59.9×) |")
