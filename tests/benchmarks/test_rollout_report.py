"""Evaluation of the calls and the history of a rollout scenario."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from seq2sum_serving.deployment.errors import Exit
from seq2sum_serving.deployment.event_log import Event

from benchmarks.rollout.allowed_versions import allowed_intervals, disallowed_answers, swaps
from benchmarks.rollout.calls import Call, Interval, calls_within, intervals_after
from benchmarks.rollout.deployment import CommandResult
from benchmarks.rollout.picture import picture
from benchmarks.rollout.report import Report, p50, p99, versions_table
from benchmarks.rollout.scenario import CommandRun, ScenarioOptions, ScenarioResult
from benchmarks.rollout.shuffled_weights import shuffle_weights

START = 1_800_000_000.0
"""The time that seconds are counted from."""


def event(second, kind, version=None, *, reason="", run="", **details):
    when = datetime.fromtimestamp(START + second, UTC).isoformat(timespec="milliseconds")
    return Event(
        kind, version, reason, details, run, "seq2sum", when.replace("+00:00", "Z"), "me@here"
    )


def call(start, version=1, *, seconds=0.01, error=""):
    version = None if error else version
    return Call(START + start, START + start + seconds, version, not error, error)


def interval(start, end):
    return Interval(START + start, START + end)


HISTORY = [
    event(-1.0, "labels set", stable=1, canary=1),
    event(10.0, "versions set", versions=[1, 2]),
    event(12.0, "labels set", stable=1, canary=2),
    event(12.5, "weights set", stable=90, canary=10),
    event(15.0, "labels set", stable=2, canary=2, previous=1),
    event(15.5, "weights set", stable=100),
    event(20.0, "run ended", 2),
]
"""Version 2 replaces version 1."""


def test_version_is_allowed_until_every_replica_has_moved_its_label():
    assert allowed_intervals(HISTORY) == {
        1: [interval(-1, 12.5), interval(12, 15.5)],
        2: [interval(12, 15.5), Interval(START + 15, math.inf)],
    }


def test_last_labels_are_allowed_without_end():
    assert allowed_intervals(HISTORY[:3])[1][-1].end == math.inf
    assert allowed_intervals(HISTORY[:1]) == {1: [Interval(START - 1, math.inf)]}
    assert allowed_intervals([]) == {}


@pytest.mark.parametrize(
    ("one", "disallowed"),
    [
        (call(5, 1), False),
        (call(5, 2), True),
        (call(11.995, 2), False),  # in progress when the label was set
        (call(11.95, 2), True),
        (call(15.5, 1), False),
        (call(15.6, 1), True),  # it is `previous` now, which no caller uses
        (call(99, 2), False),
        (call(5, 4), True),
        (call(99, error="no"), False),  # counted as failed
    ],
)
def test_answers_outside_the_intervals_of_a_version_are_disallowed(one, disallowed):
    assert bool(disallowed_answers([one], allowed_intervals(HISTORY))) is disallowed


def test_swap_is_a_move_of_stable():
    assert swaps(HISTORY) == [HISTORY[4]]


def test_overlapping_intervals_are_merged():
    assert intervals_after([12, 10, 15], 2) == [Interval(10, 14), Interval(15, 17)]
    assert intervals_after([], 2) == []


def test_call_is_within_an_interval_that_it_overlaps():
    calls = [call(start, seconds=1) for start in (8.9, 9.1, 11, 12.1)]
    assert calls_within(calls, [interval(10, 12)]) == calls[1:3]


def test_percentiles_are_in_milliseconds():
    calls = [call(0, seconds=number / 1000) for number in range(1, 201)]
    assert (p50(calls), p99(calls)) == pytest.approx((100, 198))


CALLS = [
    *(call(second / 10, 1, seconds=0.010) for second in range(100)),
    *(call(10.1 + second / 10, 1, seconds=0.015) for second in range(50)),
    *(call(15.1 + second / 10, 2, seconds=0.012) for second in range(50)),
]
COMMANDS = [
    CommandRun("run 2", Exit.DONE, CommandResult(0, {}, 20.0)),
    CommandRun("run 4", Exit.FAILED, CommandResult(1, {"error": "golden: none"}, 9.0), "golden: "),
    CommandRun("rollback", Exit.DONE, CommandResult(0, {"seconds": 0.25}, 1.0)),
]
OPTIONS = ScenarioOptions(200, swaps=1)
ABORTED = event(21.0, "failed", 4, reason="golden: none right", run="f00")


def report(calls=CALLS, events=(*HISTORY, ABORTED), commands=COMMANDS, options=OPTIONS):
    names = {1: "seed", 2: "default", 4: "shuffled"}
    return Report.of(ScenarioResult(options, names, START, calls, events, commands))


def test_scenario_without_faults_passes():
    found = report()
    assert all(ok for ok, _ in found.checks())
    assert len(found.before) == 50, "from second 5 to second 10"
    assert found.p99_ratio == pytest.approx(1.5)
    assert found.rollback_seconds == 0.25
    assert all(ok for ok, _ in found.timing_checks())


def with_command(name, expected, exit_code, error=""):
    run = CommandRun(name, expected, CommandResult(exit_code, {}, 1.0), error)
    return report(commands=[*COMMANDS, run])


@pytest.mark.parametrize(
    "found",
    [
        report([*CALLS, call(3, error="gone")]),
        report(CALLS[1:]),
        report([*CALLS, call(3, 2)]),
        with_command("run 5", Exit.DONE, 1),
        report(
            commands=[
                *COMMANDS,
                CommandRun("run 5", Exit.FAILED, CommandResult(1, {}, 1.0), "golden: "),
            ]
        ),
        report(events=HISTORY),
        report(options=ScenarioOptions(200, swaps=2)),
    ],
    ids=["call", "too few", "disallowed", "exit code", "error", "not aborted", "swaps"],
)
def test_any_single_fault_fails_the_scenario(found):
    assert [ok for ok, _ in found.checks()].count(False) == 1


@pytest.mark.parametrize(
    "found",
    [
        report([*CALLS, *(call(12, seconds=0.1) for _ in range(50))]),
        report(
            commands=[CommandRun("rollback", Exit.DONE, CommandResult(0, {"seconds": 1.5}, 2.0))]
        ),
        report([]),
    ],
    ids=["slow swaps", "slow rollback", "no calls"],
)
def test_slow_swaps_and_rollbacks_fail_the_scenario(found):
    assert [ok for ok, _ in found.timing_checks()].count(False) == 1


def test_report_shows_every_version():
    found = report([*CALLS, call(30, error="gone")])
    assert "| 2 | default | 50 | 100.0% | became stable |" in versions_table(found)
    assert "| 4 | shuffled | 0 |  | aborted: golden |" in versions_table(found)
    row = found.to_json()
    assert not row["passed"]
    assert row["seconds"][0] == [0, {"1": 10}, 10.0, 10.0]
    assert row["seconds"][25] == [25, {}, None, None], "no call was answered"
    assert "Calls per second" in picture(found)


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
