"""Evaluation of the samples and counts of a soak."""

from __future__ import annotations

import pytest

from benchmarks.pictures import soak as soak_picture
from benchmarks.soak.call_counter import CallCounter, Count
from benchmarks.soak.report import Soak, calls_table, floor, slope
from benchmarks.support.process_stats import ProcessStats


def sample(second, resident, *, threads=40, file_descriptors=50):
    return ProcessStats(float(second), float(resident), threads, file_descriptors)


def soak(samples, *, failed=0, after=None, exit_code=0):
    counts = [Count("gRPC Predict", 1000, failed)]
    idle = sample(0, 500)
    return Soak(10, counts, [], samples, idle, after or idle, exit_code)


LEVEL = [sample(second, 700 + 200 * (second % 10 == 3)) for second in range(600)]
"""A large message every ten seconds, and no growth."""
LEAK = [sample(second, 700 + second / 10) for second in range(600)]


def test_floor_leaves_out_transient_messages():
    assert {one.resident for one in floor(LEVEL, seconds=10)} == {700}
    assert soak(LEVEL).passed


def test_slope_is_in_megabytes_per_minute():
    assert slope(LEAK) == pytest.approx(6)
    assert soak(LEAK).slope == pytest.approx(6)


@pytest.mark.parametrize(
    "found",
    [
        soak(LEAK),
        soak(LEVEL, failed=1),
        soak(LEVEL, after=sample(600, 500, threads=60)),
        soak(LEVEL, after=sample(600, 500, file_descriptors=60)),
        soak(LEVEL, exit_code=-9),
    ],
    ids=["memory", "a call", "threads", "file descriptors", "exit code"],
)
def test_any_single_fault_fails_the_soak(found):
    assert not found.passed
    assert [ok for ok, _ in found.checks()].count(False) == 1


def test_call_counter_keeps_examples_of_failures():
    counter = CallCounter()
    counter.ok("swap")
    counter.failed("reload", "too late")
    assert counter.examples() == ["reload: too late"]
    assert counter.counts() == [Count("reload", 0, 1), Count("swap", 1, 0)]


def test_report_shows_every_kind_of_call():
    found = soak(LEVEL)
    assert "| gRPC Predict | 1,000 | 0 |" in calls_table(found)
    assert found.to_json()["passed"]
    assert "file descriptors" in soak_picture.picture(found.to_json())
