"""Selection of batching parameters, from tables of possible measurements."""

from __future__ import annotations

import asyncio
import os

import pytest
from seq2sum.addition import contract
from seq2sum.testing import FakeServer

from benchmarks.batching import report
from benchmarks.batching.candidates import (
    CONTROL,
    LOADS,
    OFF,
    OFF_ONE_THREAD,
    PLAIN,
    candidates,
)
from benchmarks.batching.selection import (
    MAX_TAIL_RATIO,
    MIN_DIFFERENCE,
    Comparison,
    Measurement,
    choose,
    is_worse,
    still_running,
)
from benchmarks.load import generator
from benchmarks.load.generator import Load, Sample, percentile

EVERY = candidates(2)
ONE_THREAD = f"{PLAIN}, 1 batch thread"
SPLIT = f"{PLAIN}, split into 512"
ONE = Load("default", 1, 64)
WITH_ARRIVALS = Load("default", 4096, 2, arrivals=100)
NOISE = (0.0, 0.004, -0.003, 0.002)
"""Deviations of the rounds on a quiet machine, in a different order for each candidate."""


def measured(ratios, *, tails=None, noise=1, load=ONE):
    """Rounds in which each candidate has this ratio to batching off, with some noise."""
    ratios = {OFF: 1.0, CONTROL: 1.0} | ratios
    return [
        Measurement(name, load, number, sample(ratio * (1 + noise * deviation), tail))
        for index, (name, ratio) in enumerate(ratios.items())
        for number in range(len(NOISE))
        for deviation in [NOISE[(number + index) % len(NOISE)]]
        for tail in [(tails or {}).get(name, 1.0)]
    ]


def sample(ratio, tail=1.0):
    return Sample(1000 * ratio, 10 / ratio, 50 * tail, 100.0, 30.0)


def chosen(*args, **options):
    return choose(measured(*args, **options), EVERY)


def test_clearly_best_candidate_is_chosen():
    assert chosen({PLAIN: 1.1, ONE_THREAD: 1.2, SPLIT: 1.5}).batched == SPLIT


def test_simplest_is_chosen_if_differences_are_noise():
    assert chosen({SPLIT: 1.11, ONE_THREAD: 1.105, PLAIN: 1.1}).batched == PLAIN


def test_small_differences_do_not_count_even_without_noise():
    ratios = {PLAIN: 1.1, SPLIT: 1.1 * (1 + MIN_DIFFERENCE / 2)}
    assert chosen(ratios, noise=0).batched == PLAIN


def test_more_noise_hides_larger_differences():
    ratios = {PLAIN: 1.1, SPLIT: 1.2}
    assert chosen(ratios).batched == SPLIT
    assert chosen(ratios, noise=40).batched == PLAIN


def test_differences_within_that_of_the_control_do_not_count():
    choice = chosen({CONTROL: 0.8, PLAIN: 1.1, SPLIT: 1.2})
    assert choice.batched == PLAIN
    assert choice.resolution == pytest.approx(0.25, abs=0.01)


def test_one_round_proves_nothing():
    once = [each for each in measured({PLAIN: 1.0, SPLIT: 9.0}) if each.round == 0]
    assert choose(once, EVERY).batched == PLAIN
    assert choose(once, EVERY).pays is None


def test_candidate_with_a_long_tail_is_excluded():
    ratios, long = {PLAIN: 1.1, SPLIT: 1.5}, MAX_TAIL_RATIO * 1.1
    choice = chosen(ratios, tails={SPLIT: long})
    assert (choice.batched, choice.tails_kept) == (PLAIN, True)
    choice = chosen(ratios, tails={SPLIT: long, PLAIN: long})
    assert (choice.batched, choice.tails_kept) == (SPLIT, False)


def test_long_tail_is_allowed_if_the_control_has_one():
    tails = {SPLIT: MAX_TAIL_RATIO * 1.1, CONTROL: 1.2}
    assert chosen({PLAIN: 1.1, SPLIT: 1.5}, tails=tails).batched == SPLIT


@pytest.mark.parametrize(
    ("with_batching", "without", "pays"), [(1.3, 1.1, True), (1.0, 1.1, False), (1.1, 1.1, None)]
)
def test_batching_is_compared_with_the_best_candidate_without(with_batching, without, pays):
    choice = chosen({OFF_ONE_THREAD: without, PLAIN: with_batching})
    assert choice.unbatched == OFF_ONE_THREAD
    assert choice.pays is pays
    assert choice.ratio == pytest.approx(with_batching / without, rel=0.01)


def test_defaults_are_kept_without_a_significant_gain():
    assert chosen({OFF_ONE_THREAD: 1.005, PLAIN: 1.0}).unbatched == OFF


def test_latency_of_arrivals_counts_half():
    """Both ratios are 4; then only the latency is set to that of batching off."""
    found = Comparison(measured({PLAIN: 4.0}, load=WITH_ARRIVALS, noise=0))
    assert found.ratio(PLAIN, WITH_ARRIVALS) == pytest.approx(4)
    slower = [
        each._replace(sample=each.sample._replace(p50=10.0))
        for each in measured({PLAIN: 4.0}, load=WITH_ARRIVALS, noise=0)
    ]
    assert Comparison(slower).ratio(PLAIN, WITH_ARRIVALS) == pytest.approx(2)


def test_all_loads_have_equal_weight():
    half = measured({PLAIN: 2.0}, noise=0) + measured({PLAIN: 0.5}, noise=0, load=WITH_ARRIVALS)
    assert Comparison(half).score(PLAIN) == pytest.approx(1)


def test_incomplete_round_does_not_count():
    rounds = measured({PLAIN: 2.0}) + measured({PLAIN: 2.0}, load=WITH_ARRIVALS)[:-1]
    assert len(Comparison(rounds).rounds(PLAIN)) == len(NOISE) - 1


def test_only_common_rounds_are_compared():
    assert is_worse({0: 0.0, 1: 0.0}, {0: 1.0, 1: 1.0, 2: 0.0}, 0.02)
    assert not is_worse({0: 0.0, 1: 0.0}, {2: 1.0, 3: 1.0}, 0.02)
    assert not is_worse({0: 1.0, 1: 0.0}, {0: 0.0, 1: 1.5}, 0.02)


def test_clearly_worse_candidates_drop_out_except_references():
    ratios = {OFF: 1.0, CONTROL: 1.0, OFF_ONE_THREAD: 0.1, PLAIN: 0.2, ONE_THREAD: 0.5, SPLIT: 1.0}
    left = still_running(measured(ratios), [each for each in EVERY if each.name in ratios])
    assert [each.name for each in left] == [OFF, CONTROL, OFF_ONE_THREAD, PLAIN, SPLIT]


def test_possible_winners_keep_running():
    going = [each for each in EVERY if each.name in (PLAIN, ONE_THREAD, SPLIT)]
    assert still_running(measured({PLAIN: 1.0, ONE_THREAD: 0.95, SPLIT: 1.0}), going) == going


def test_percentiles_are_measured_values():
    assert [percentile([1, 2, 3, 4], share) for share in (0.01, 0.25, 0.5, 0.99)] == [1, 1, 2, 4]


def test_choice_is_explained():
    lines = report.explain(chosen({OFF_ONE_THREAD: 1.2, PLAIN: 1.0}))
    assert lines[0] == (
        f"chosen: {PLAIN!r}; on this server worse than {OFF_ONE_THREAD!r}, 0.83× over all loads"
    )


def test_table_has_a_row_for_each_candidate_the_best_first():
    rows = report.candidates_table(measured({PLAIN: 1.3, SPLIT: 1.2})).splitlines()[2:]
    assert [row.split(" | ")[0].strip("| ") for row in rows[:2]] == [PLAIN, SPLIT]


def test_loads_include_those_of_the_server_benchmark():
    assert {(1, 1), (1, 64), (32, 8), (512, 8), (4096, 4)} <= {load[1:3] for load in LOADS}
    assert any(load.arrivals for load in LOADS)


@pytest.mark.parametrize("arrivals", [0, 200])
def test_load_is_measured_as_callers_observe_it(arrivals):
    """Each call takes at least 20 ms; single questions are timed from when they are due."""
    load = Load(contract.MODEL_NAME, 8, 2, arrivals)
    with FakeServer(delay=0.02) as server:
        found = asyncio.run(generator.sample(server.target, os.getpid(), load, 0.2))
    assert 20 <= found.p50 <= found.p99
    assert 0 < found.questions_per_second <= 2 * 8 / 0.02 + 2 * arrivals
    assert found.cpu_microseconds > 0


def test_changed_answer_ends_the_measurement():
    load = Load(contract.MODEL_NAME, 1, 1)
    with FakeServer() as server:
        asyncio.run(generator.sample(server.target, os.getpid(), load, 0.01))
        server.stop()
        wrong = FakeServer(answer=lambda *_: "12345", port=int(server.target.split(":")[1]))
        with wrong, pytest.raises(AssertionError, match="the answer has changed"):
            asyncio.run(generator.sample(wrong.target, os.getpid(), load, 0.01))
