"""Benchmarks of training and of the graph: plans, selection and tables, without running them."""

from __future__ import annotations

import dataclasses
import json

import pytest
from seq2sum_training import recipe
from seq2sum_training.model import network
from support.paths import ROOT

from benchmarks.graph import cpu_time, report
from benchmarks.pictures import graph
from benchmarks.support import machine
from benchmarks.support.trials import TrialResult
from benchmarks.training import exact_match, seeds, small_networks

pytestmark = pytest.mark.tensorflow

RESULTS = ROOT / "benchmarks" / "results"
RESULT = TrialResult(
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


def result(size, seed, operations, errors=0, unseen=0):
    return dataclasses.replace(
        RESULT,
        name=f"{size}-{seed}",
        multiply_adds=operations,
        errors=errors,
        never_trained_errors=unseen,
    )


def test_planned_trials_are_valid_recipes_with_unique_names():
    planned = [trial for _, trial in small_networks.plan(range(1, 4))]
    assert len({trial.name for trial in planned}) == len(planned) > 30
    for trial in planned:
        assert recipe.load(trial.recipe, trial.settings)
    assert [recipe.load(name) for name in exact_match.RECIPES]


def test_sizes_are_selected_by_training_errors_the_cheapest_first():
    results = [
        result("large", 1, 2000),
        result("small", 1, 500, errors=3),
        result("middle", 1, 1000),
        result("middle", 2, 1000, errors=2, unseen=2),
        result("large", 2, 2000),
    ]
    assert small_networks.without_errors(results) == ["middle", "large"]


def test_seeds_are_unique_and_known_failures_come_first():
    plan = seeds.plan()
    assert len(set(plan)) == len(plan) == 50
    assert plan[:2] == [("fast", 7), ("fast", 103)]
    assert sum(name == "default" for name, _ in plan) == 10
    for pair in plan:
        trial = seeds.trial(pair)
        assert recipe.load(trial.recipe, trial.settings).seed == pair[1]


def seed_row(seed, **values):
    row = {"recipe": "fast", "seed": seed, "errors": 0, "never_trained_errors": 0, "clean": True}
    return row | {"cpu_seconds": 30.0, "recipe_digest": seeds.digest("fast", seed)} | values


def test_results_of_a_changed_recipe_are_dropped():
    rows = [seed_row(1), seed_row(2, recipe_digest=seeds.digest("fast", 3))]
    assert [row["seed"] for row in seeds.current(rows)] == [1]


def test_results_of_seeds_are_stored_in_order(tmp_path):
    path = tmp_path / "seeds.json"
    assert seeds.read(path) == []
    rows = [seed_row(103), seed_row(7)]
    seeds.write(path, rows)
    assert [row["seed"] for row in seeds.read(path)] == [7, 103]
    assert [entry.name for entry in tmp_path.iterdir()] == ["seeds.json"]


def test_seeds_table_has_the_worst_result_of_each_recipe():
    bad = seed_row(2, errors=42, never_trained_errors=4, cpu_seconds=50.4)
    rows = [seed_row(1), bad, seed_row(3, cpu_seconds=20.0)]
    assert seeds.recipes_table(rows).splitlines()[2:] == [
        "| `fast` | 3 | 42 | 4 | 20-50, median 30 |"
    ]


def test_seeds_table_was_measured_with_the_current_recipes():
    rows = seeds.read(RESULTS / "seeds.json")
    assert seeds.current(rows) == rows
    assert {7, 103} <= {row["seed"] for row in rows if row["recipe"] == "fast"}
    assert seeds.recipes_table(rows) in (ROOT / "docs" / "training.md").read_text()


def test_sizes_table_has_a_row_for_each_size():
    results = [result("a-b", 1, 500, errors=1234), result("a-b", 2, 500)]
    lines = small_networks.sizes_table(results)
    assert lines.splitlines()[2:] == ["| a b | 1,284 | 500 | 10-10 | 1,234, 0 |"]


def test_fast_recipe_is_the_smallest_measured_network_without_errors():
    rows = json.loads((RESULTS / "small-networks.json").read_text())
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


def test_ratio_is_the_median_over_rounds():
    assert cpu_time.ratio([4, 9, 2], [2, 3, 2]) == 2


def test_every_call_has_a_turn_in_each_round():
    turns = []
    calls = {name: lambda name=name: turns.append(name) for name in ("a", "b")}
    spent = cpu_time.microseconds(calls, rounds=3)
    assert [len(times) for times in spent.values()] == [3, 3]
    last_of_a = len(turns) - 1 - turns[::-1].index("a")
    assert set(turns[last_of_a + 1 :]) == {"b"}


def test_measured_graph_reaches_its_targets_in_a_session():
    measured = json.loads((RESULTS / "graph.json").read_text())
    rows = [row for row in measured["rows"] if row["variant"].endswith(", session")]
    assert {row["batch"] for row in rows} == set(report.BATCHES)
    assert all(report.met(row) for row in rows if row["target"])
    compared = measured["compared_with_keras"].values()
    assert [found["different_answers"] for found in compared] == [0, 0]
    # `fast`, where parsing is a visible part of the cost.
    unusual = [row for row in measured["unusual_rows"] if row["recipe"] == "fast"]
    assert {row["kind"] for row in unusual} >= {"malformed", "too long"}
    assert all(
        row["relative_cost"] < 1.1 for row in unusual if row["kind"] in ("malformed", "too long")
    )


def test_variants_table_has_a_row_for_each_variant():
    row = {"per_cpu_second": 1_234_567, "ratio_to_stock": 59.94}
    rows = [row | {"variant": "fast, session", "batch": batch} for batch in report.BATCHES]
    assert report.variants_table(rows).splitlines()[2].startswith("| fast, session | 1.23M (59.9×)")


X86 = "processor: 0\nmodel name: Some CPU @ 2 GHz\nflags: fpu sse2 fma avx avx2 avx512f amx_tile\n"
ARM = "processor: 0\nBogoMIPS: 50.00\nFeatures: fp asimd sve crc32\n"


def test_processor_is_described_with_its_vector_instructions():
    intel = machine.processor(f"{X86}\n{X86.replace('Some', 'Other')}")
    assert intel["processor"] == "Some CPU @ 2 GHz"
    assert intel["instruction_sets"] == ["fma", "avx", "avx2", "avx512f", "amx_tile"]
    assert machine.processor(ARM)["instruction_sets"] == ["asimd", "sve"]
    assert machine.processor("")["processor"]
    assert graph.processor_text(**intel) == "Some CPU @ 2 GHz, AVX2, AVX-512, AMX"
    assert graph.processor_text("old", []) == "old, no wide vectors"


def test_picture_of_the_graph_names_the_processor():
    values = json.loads((RESULTS / "graph.json").read_text())
    assert "Some CPU" in graph.picture(values | machine.processor(X86))
