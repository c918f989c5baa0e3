"""Evaluation of the calls and the history of a rollout scenario."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from seq2sum_serving.deployment.errors import Exit
from seq2sum_serving.deployment.event_log import Event

from benchmarks.pictures import rollout
from benchmarks.rollout.allowed_versions import allowed, disallowed_answers
from benchmarks.rollout.calls import Call, Interval, calls_within, intervals_after
from benchmarks.rollout.deployment import CommandResult
from benchmarks.rollout.history import HistoryTail, Step
from benchmarks.rollout.measures import Rollback, p50, p99, shares
from benchmarks.rollout.operations import CommandRun, ScenarioOptions, event_key
from benchmarks.rollout.report import Report, versions_table
from benchmarks.rollout.scenario import ScenarioResult
from benchmarks.rollout.shuffled_weights import shuffle_weights

START = 1_800_000_000.0
"""The time that seconds are counted from."""
DIRECT, ROUTER = False, True


def event(second, kind, version=None, *, reason="", run="", **details):
    when = datetime.fromtimestamp(START + second, UTC).isoformat(timespec="milliseconds")
    return Event(
        kind, version, reason, details, run, "seq2sum", when.replace("+00:00", "Z"), "me@here"
    )


def call(start, version=1, *, seconds=0.01, error="", wrong=False, through_router=DIRECT):
    version = None if error else version
    times = START + start, START + start + seconds
    return Call(*times, version, not error and not wrong, error, "REST", through_router)


def command(start, end, exit_code=0, **output):
    return CommandResult(exit_code, output, START + start, START + end)


def interval(start, end):
    return Interval(START + start, START + end)


HISTORY = [
    event(-2.0, "promoted", 1),
    event(-1.0, "labels set", stable=1, canary=1),
    event(10.0, "candidate set", versions=[1, 2], labels={"stable": 2, "canary": 2}),
    event(11.0, "weights set", stable=100, mirror=5),
    event(12.0, "weights set", stable=90, canary=10),
    event(12.5, "step started", 2),
    event(15.0, "step completed", 2),
    event(15.1, "promoted", 2),
    event(15.2, "versions set", versions=[1, 2]),
    event(16.0, "labels set", stable=2, canary=2, previous=1),
    event(16.5, "weights set", stable=100),
    event(17.0, "candidate set", versions=[2], labels={"stable": 2, "canary": 2}),
    event(20.0, "run ended", 2),
]
"""Version 2 replaces version 1."""
BACK = [
    event(30.0, "rolled back", 2),
    event(30.1, "versions set", versions=[1]),
    event(30.2, "labels set", stable=1, canary=1),
    event(30.8, "candidate set", versions=[1], labels={"stable": 1, "canary": 1}),
]
COMMANDS = [
    CommandRun("promote 1", Exit.DONE, command(-3, 0)),
    CommandRun("run 2", Exit.DONE, command(9, 21)),
    CommandRun("run 4", Exit.FAILED, command(22, 25, 1, error="golden: none"), "golden: "),
    CommandRun("rollback", Exit.DONE, command(29.5, 31, seconds=0.9, rolled_back=2)),
]
RESULTS = [one.result for one in COMMANDS]


def test_version_is_allowed_from_its_promotion_until_labels_have_moved_everywhere():
    found = allowed([*HISTORY, *BACK], RESULTS)
    assert found.stable_group == {
        1: [interval(-2, 16.5), Interval(START + 30, math.inf)],
        2: [interval(15.1, 30.8)],
    }
    assert found.candidate_group == {2: [interval(12, 17)]}


def test_last_share_is_allowed_without_end():
    found = allowed(HISTORY[:5], RESULTS).candidate_group
    assert found == {2: [Interval(START + 12, math.inf)]}


def test_change_of_a_killed_command_is_complete_when_its_repetition_ends():
    killed = [RESULTS[0], command(9, 16.3, -9), command(16.4, 21)]
    found = allowed(HISTORY, killed)
    assert found.stable_group[1] == [interval(-2, 21)]
    killed = [RESULTS[0], command(9, 16.6, -9), command(16.7, 16.9, -9), command(16.95, 22)]
    assert allowed(HISTORY, killed).candidate_group == {2: [interval(12, 22)]}


@pytest.mark.parametrize("kind", ["failed", "aborted", "rolled back"])
def test_promotion_that_is_aborted_is_allowed_until_the_command_ends(kind):
    aborted = [*HISTORY[:9], event(18, kind, 2), event(19, "versions set", versions=[1])]
    found = allowed(aborted, RESULTS).stable_group
    assert found == {1: [Interval(START - 2, math.inf)], 2: [interval(15.1, 21)]}


@pytest.mark.parametrize(
    ("one", "disallowed"),
    [
        (call(5, 1), False),
        (call(5, 2, through_router=ROUTER), True),
        (call(11.5, 2, through_router=ROUTER), True),  # the answer to a copy
        (call(11.995, 2, through_router=ROUTER), False),  # in progress when its share began
        (call(14, 2, through_router=ROUTER), False),
        (call(14, 2), True),  # a stable server has it too early
        (call(14, 1, through_router=ROUTER), False),
        (call(15.5, 2), False),
        (call(16.4, 1), False),
        (call(16.6, 1), True),
        (call(16.6, 1, through_router=ROUTER), True),
        (call(30.7, 2), False),
        (call(30.9, 2), True),  # beyond the rollback
        (call(99, 1), False),
        (call(5, 4, through_router=ROUTER), True),
        (call(99, error="no"), False),  # counted as failed
    ],
)
def test_answers_that_a_version_may_not_give_are_disallowed(one, disallowed):
    assert bool(disallowed_answers([one], allowed([*HISTORY, *BACK], RESULTS))) is disallowed


def test_overlapping_intervals_are_merged():
    assert intervals_after([12, 10, 15], 2) == [Interval(10, 14), Interval(15, 17)]
    assert intervals_after([], 2) == []


def test_call_is_within_an_interval_that_it_overlaps():
    calls = [call(start, seconds=1) for start in (8.9, 9.1, 11, 12.1)]
    assert calls_within(calls, [interval(10, 12)]) == calls[1:3]


def test_percentiles_are_in_milliseconds():
    calls = [call(0, seconds=number / 1000) for number in range(1, 201)]
    assert (p50(calls), p99(calls)) == pytest.approx((100, 198))


def step(weight, stable, candidate, mirror=0.0):
    return Step(2, weight, mirror, stable, candidate, START + 12.5, START + 15)


def test_shares_of_a_weight_are_those_of_all_its_steps():
    steps = [step(0, 2000, 90, 5.0), step(10, 40_000, 5000), step(10, 50_000, 5000)]
    copies, ten = shares(steps)
    assert (copies.percent, copies.mirror, copies.calls, copies.measured) == (5, True, 2000, 4.5)
    assert (ten.percent, ten.mirror, ten.calls, ten.measured) == (10, False, 100_000, 10)


@pytest.mark.parametrize(
    ("counts", "passed"),
    [
        ((89_100, 10_900), True),
        ((88_900, 11_100), False),  # more than a point
        ((14, 6), True),  # few calls
        ((8, 12), False),
        ((0, 0), False),
    ],
)
def test_share_is_within_a_point_or_what_few_calls_allow(counts, passed):
    [share] = shares([step(10, *counts)])
    assert share.passed is passed


def test_history_is_read_line_by_line(tmp_path):
    path = tmp_path / "history.jsonl"
    tail = HistoryTail(path)
    assert tail.new() == []
    line = b'{"kind":"promoted","format":2}\n'
    path.write_bytes(line + line[:9])
    assert [each.kind for each in tail.new()] == ["promoted"]
    path.write_bytes(line)  # an incomplete line is removed before the next one
    assert tail.new() == []
    path.write_bytes(line + line + line)
    assert len(tail.new()) == 2
    assert HistoryTail(path, skip=True).new() == []


def test_repeated_events_have_the_same_key():
    measured = [event(time, "measurement", gate="golden", p50=time) for time in (1, 2)]
    assert len(set(map(event_key, measured))) == 1
    assert event_key(HISTORY[3]) != event_key(HISTORY[4])


CALLS = [
    *(call(second / 10, 1, seconds=0.010) for second in range(100)),
    *(call(10.1 + second / 10, 1, seconds=0.015) for second in range(50)),
    *(call(16.1 + second / 10, 2, seconds=0.012) for second in range(50)),
    call(30.38, 2, seconds=0.02),
]
OPTIONS = ScenarioOptions(200, runs=2)
ABORTED = event(24.0, "failed", 4, reason="golden: none right", run="f00")
EVENTS = [*HISTORY, ABORTED, *BACK]
STEPS = [step(10, 900, 100)]


def report(calls=CALLS, events=EVENTS, commands=COMMANDS, options=OPTIONS, steps=STEPS):
    names = {1: "default", 2: "fast", 4: "shuffled"}
    return Report.of(ScenarioResult(options, names, START, calls, events, commands, steps))


def test_scenario_without_faults_passes():
    found = report()
    assert [text for ok, text in found.checks() if not ok] == []
    assert len(found.before) == 50, "from second 5 to second 10"
    assert found.p99_ratio == pytest.approx(2)
    assert found.rollbacks == [Rollback(2, 0.9, *map(pytest.approx, (0.9, 0.4)))]
    assert found.by_caller() == {"REST": 201}


def with_command(exit_code, error=""):
    run = CommandRun("run 5", Exit.FAILED, command(26, 27, exit_code, error=error), "golden: ")
    return report(commands=[*COMMANDS[:3], run, COMMANDS[3]])


@pytest.mark.parametrize(
    "found",
    [
        report([*CALLS, call(3, error="gone")]),
        report(CALLS[2:]),
        report([*CALLS, call(3, 2)]),
        report([*CALLS, call(3, wrong=True)]),
        with_command(0),
        with_command(1, "memory: "),
        report([*CALLS, call(12.5, 4, error="")], [*EVENTS, event(12, "promoted", 4)]),
        report(steps=[]),
        report(steps=[step(10, 8000, 2000)]),
        report(options=ScenarioOptions(200, runs=3)),
    ],
    ids=[
        *("call", "too few", "disallowed", "wrong", "exit code", "error", "faulty version"),
        *("no step", "share", "runs"),
    ],
)
def test_any_single_fault_fails_the_scenario(found):
    assert [ok for ok, _ in found.checks()].count(False) == 1


@pytest.mark.parametrize(
    ("calls", "failed"),
    [
        (CALLS, [False, False]),
        ([*CALLS, call(12, seconds=0.021)], [True, False]),
        ([*CALLS, call(30.0, 2, seconds=1.1)], [True, True]),
        ([], [True, False]),
    ],
    ids=["neither", "slow change", "slow rollback", "no calls"],
)
def test_slow_changes_and_rollbacks_fail_the_scenario(calls, failed):
    assert [not ok for ok, _ in report(calls).timing_checks()] == failed


def test_report_shows_every_version():
    found = report([*CALLS, call(31, error="gone")])
    assert "| 1 | default | 150 | became stable |" in versions_table(found)
    assert "| 2 | fast | 51 | rolled back by hand |" in versions_table(found)
    assert "| 4 | shuffled | 0 | failed by the run: golden |" in versions_table(found)
    values = found.to_json()
    assert not values["passed"]
    assert values["promoted"] == [1, 2]
    assert values["shares"][0]["measured"] == 10
    assert values["seconds"][0] == [0, {"1": 10}, 10.0, 10.0]
    assert values["seconds"][25] == [25, {}, None, None], "no call was answered"
    shown = rollout.picture(values)
    for text in ("1 of 202 calls failed", "2 promoted", "2 rolled back", "4 (wrong answers)"):
        assert text in shown


def test_shuffled_weights_keep_their_values(tmp_path):
    import zipfile
    from io import BytesIO

    import h5py
    import numpy as np

    run, weights = tmp_path / "run", BytesIO()
    run.mkdir()
    with h5py.File(weights, "w") as file:
        file["layers/one/vars/0"] = np.arange(20.0).reshape(4, 5)
    with zipfile.ZipFile(run / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", weights.getvalue())
    copy = shuffle_weights(run, tmp_path / "copy")
    with zipfile.ZipFile(copy / "model.keras") as archive:
        assert archive.read("config.json") == b"{}"
        found = h5py.File(BytesIO(archive.read("model.weights.h5")))["layers/one/vars/0"][...]
    assert found.shape == (4, 5)
    assert sorted(found.ravel()) == list(range(20))
    assert found.ravel().tolist() != list(range(20))
