"""Which batching parameters are chosen: by tables of what might have been measured."""

from __future__ import annotations

import asyncio
import os

import batching_loads
import batching_report
import pytest
from batching import CONFIG, LOADS
from batching_candidates import CONTROL, OFF, OFF_ALONE, PLAIN, candidates
from batching_choice import (
    LEAST_DIFFERENCE,
    TAIL,
    Found,
    Measurement,
    behind,
    choose,
    still_running,
)
from batching_loads import Load, Sample, percentile
from conftest import ROOT
from seq2sum import contract
from seq2sum.testing import FakeServer

EVERY = candidates(2)
ONE_THREAD = f"{PLAIN}, 1 batch thread"
CUT = f"{PLAIN}, cut into 512"
ONE = Load("default", 1, 64)
BESIDE = Load("default", 4096, 2, beside=100)
WOBBLE = (0.0, 0.004, -0.003, 0.002)
"""What rounds differ by on a quiet machine; each candidate meets it in another order."""


def measured(worths, *, tails=None, noise=1, load=ONE):
    """Rounds in which each candidate is so many times as good as batching off, but for noise."""
    worths = {OFF: 1.0, CONTROL: 1.0} | worths
    return [
        Measurement(name, load, number, sample(worth * (1 + noise * wobble), tail))
        for place, (name, worth) in enumerate(worths.items())
        for number in range(len(WOBBLE))
        for wobble in [WOBBLE[(number + place) % len(WOBBLE)]]
        for tail in [(tails or {}).get(name, 1.0)]
    ]


def sample(worth, tail=1.0):
    return Sample(1000 * worth, 10 / worth, 50 * tail, 100.0, 30.0)


def chosen(*args, **how):
    return choose(measured(*args, **how), EVERY)


def test_what_is_clearly_the_best_is_chosen():
    assert chosen({PLAIN: 1.1, ONE_THREAD: 1.2, CUT: 1.5}).parameters == CUT


def test_of_what_noise_cannot_part_the_simplest_is_chosen():
    assert chosen({CUT: 1.11, ONE_THREAD: 1.105, PLAIN: 1.1}).parameters == PLAIN


def test_a_difference_too_small_to_matter_is_none_however_well_it_is_measured():
    worths = {PLAIN: 1.1, CUT: 1.1 * (1 + LEAST_DIFFERENCE / 2)}
    assert chosen(worths, noise=0).parameters == PLAIN


def test_more_noise_lets_more_differences_go():
    worths = {PLAIN: 1.1, CUT: 1.2}
    assert chosen(worths).parameters == CUT
    assert chosen(worths, noise=40).parameters == PLAIN


def test_what_the_same_server_twice_differs_by_counts_for_nobody():
    choice = chosen({CONTROL: 0.8, PLAIN: 1.1, CUT: 1.2})
    assert choice.parameters == PLAIN
    assert choice.resolution == pytest.approx(0.25, abs=0.01)


def test_one_round_tells_nothing():
    once = [each for each in measured({PLAIN: 1.0, CUT: 9.0}) if each.round == 0]
    assert choose(once, EVERY).parameters == PLAIN
    assert choose(once, EVERY).pays is None


def test_a_way_that_makes_the_slowest_callers_wait_is_out():
    worths, long = {PLAIN: 1.1, CUT: 1.5}, TAIL * 1.1
    choice = chosen(worths, tails={CUT: long})
    assert (choice.parameters, choice.tails_kept) == (PLAIN, True)
    choice = chosen(worths, tails={CUT: long, PLAIN: long})
    assert (choice.parameters, choice.tails_kept) == (CUT, False)


def test_a_long_tail_is_forgiven_where_the_same_server_twice_has_one():
    tails = {CUT: TAIL * 1.1, CONTROL: 1.2}
    assert chosen({PLAIN: 1.1, CUT: 1.5}, tails=tails).parameters == CUT


@pytest.mark.parametrize(
    ("with_batching", "without", "pays"), [(1.3, 1.1, True), (1.0, 1.1, False), (1.1, 1.1, None)]
)
def test_whether_batching_pays_is_told_against_the_best_way_without(with_batching, without, pays):
    choice = chosen({OFF_ALONE: without, PLAIN: with_batching})
    assert choice.without == OFF_ALONE
    assert choice.pays is pays
    assert choice.ratio == pytest.approx(with_batching / without, rel=0.01)


def test_without_a_reason_the_server_is_left_as_it_is():
    assert chosen({OFF_ALONE: 1.005, PLAIN: 1.0}).without == OFF


def test_latency_of_single_questions_beside_is_one_half_of_what_a_load_is_worth():
    """Here each round says the same of both: so many times the questions, and of the latency."""
    found = Found(measured({PLAIN: 4.0}, load=BESIDE, noise=0))
    assert found.worth(PLAIN, BESIDE) == pytest.approx(4)
    slower = [
        each._replace(sample=each.sample._replace(p50=10.0))
        for each in measured({PLAIN: 4.0}, load=BESIDE, noise=0)
    ]
    assert Found(slower).worth(PLAIN, BESIDE) == pytest.approx(2)


def test_all_loads_count_alike():
    half = measured({PLAIN: 2.0}, noise=0) + measured({PLAIN: 0.5}, noise=0, load=BESIDE)
    assert Found(half).score(PLAIN) == pytest.approx(1)


def test_a_round_that_was_not_asked_to_its_end_does_not_count():
    rounds = measured({PLAIN: 2.0}) + measured({PLAIN: 2.0}, load=BESIDE)[:-1]
    assert len(Found(rounds).rounds(PLAIN)) == len(WOBBLE) - 1


def test_rounds_are_compared_only_where_both_were_asked():
    assert behind({0: 0.0, 1: 0.0}, {0: 1.0, 1: 1.0, 2: 0.0}, 0.02)
    assert not behind({0: 0.0, 1: 0.0}, {2: 1.0, 3: 1.0}, 0.02)
    assert not behind({0: 1.0, 1: 0.0}, {0: 0.0, 1: 1.5}, 0.02)


def test_those_that_are_far_behind_drop_out_but_never_what_others_are_compared_with():
    worths = {OFF: 1.0, CONTROL: 1.0, OFF_ALONE: 0.1, PLAIN: 0.2, ONE_THREAD: 0.5, CUT: 1.0}
    left = still_running(measured(worths), [each for each in EVERY if each.name in worths])
    assert [each.name for each in left] == [OFF, CONTROL, OFF_ALONE, PLAIN, CUT]


def test_those_that_may_yet_win_go_on():
    going = [each for each in EVERY if each.name in (PLAIN, ONE_THREAD, CUT)]
    assert still_running(measured({PLAIN: 1.0, ONE_THREAD: 0.95, CUT: 1.0}), going) == going


def test_percentiles_are_values_that_were_seen():
    assert [percentile([1, 2, 3, 4], share) for share in (0.01, 0.25, 0.5, 0.99)] == [1, 1, 2, 4]


def test_the_choice_is_told_in_words():
    words = batching_report.verdict(chosen({OFF_ALONE: 1.2, PLAIN: 1.0}))
    assert words.splitlines()[0] == (
        f"chosen: {PLAIN!r}; on this server worse than {OFF_ALONE!r}, 0.83 times over all loads"
    )


def test_the_table_has_a_row_for_each_the_best_first():
    rows = batching_report.table(measured({PLAIN: 1.3, CUT: 1.2})).splitlines()[2:]
    assert [row.split(" | ")[0].strip("| ") for row in rows[:2]] == [PLAIN, CUT]


def test_loads_are_those_that_capacity_is_computed_for():
    assert {(1, 1), (1, 64), (32, 8), (512, 8), (4096, 4)} <= {load[1:3] for load in LOADS}
    assert any(load.beside for load in LOADS)
    assert ROOT / "serving" / "config" / "batching.config" == CONFIG


@pytest.mark.parametrize("beside", [0, 200])
def test_a_load_is_measured_as_its_callers_see_it(beside):
    """Each call takes 20 ms at least; single questions are counted from when they are due."""
    load = Load(contract.MODEL_NAME, 8, 2, beside)
    with FakeServer(delay=0.02) as server:
        found = asyncio.run(batching_loads.sample(server.target, os.getpid(), load, 0.2))
    assert 20 <= found.p50 <= found.p99
    assert 0 < found.questions_a_second <= 2 * 8 / 0.02 + 2 * beside
    assert found.cpu_microseconds > 0


def test_an_answer_that_changes_under_load_ends_the_measurement():
    load = Load(contract.MODEL_NAME, 1, 1)
    with FakeServer() as server:
        asyncio.run(batching_loads.sample(server.target, os.getpid(), load, 0.01))
        server.stop()
        wrong = FakeServer(answer=lambda *_: "12345", port=int(server.target.split(":")[1]))
        with wrong, pytest.raises(AssertionError, match="another answer"):
            asyncio.run(batching_loads.sample(wrong.target, os.getpid(), load, 0.01))
