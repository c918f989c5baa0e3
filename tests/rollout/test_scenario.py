"""The scenario of `make soak-rollout`, with small versions and short steps."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.rollout.deployment import deploy
from benchmarks.rollout.marked_versions import mark
from benchmarks.rollout.operations import (
    DEFAULT,
    FAST,
    SHUFFLED,
    ScenarioOptions,
)
from benchmarks.rollout.report import Report
from benchmarks.rollout.scenario import run_scenario

OPTIONS = ScenarioOptions(
    calls=1500,
    quiet=0.5,
    bake=1.0,
    settle=0.2,
    pause=0.05,
    kills=frozenset({"candidate set", "weights set", "promoted", "labels set"}),
)

pytestmark = [pytest.mark.embedded, pytest.mark.server, pytest.mark.tensorflow]


def test_rollouts_protect_every_caller(quick_version, shuffled_version, tmp_path):
    # The same weights in all good versions.
    versions = {DEFAULT: quick_version, FAST: quick_version, SHUFFLED: shuffled_version}
    folder = tmp_path / "servers"
    folder.mkdir()
    first = mark(quick_version, tmp_path / "first", 1)
    with deploy(folder, first, short_intervals=True) as deployment:
        report = Report.of(run_scenario(deployment, versions, OPTIONS))

    assert [text for ok, text in report.checks() if not ok] == []
    commands = Counter(command.command for command in report.result.commands)
    assert commands == {
        "promote 1": 1,
        "run 2": 2,  # refused in place, and judged in the candidate group
        "run 3": 1,
        "run 4": 1,
        "run 5": 1,
        "run 6": 1,
        "rollback": 2,
        "run 7": 2,  # with a killed server, and again
        "run 8": 1,
        "run 9, killed": len(OPTIONS.kills),
        "run 9": 1,
    }
    answered = {
        caller: {call.version for call in report.result.calls if call.caller == caller}
        for caller in report.by_caller()
    }
    assert len(answered) == 6
    assert all(versions >= {1, 2, 7, 9} for versions in answered.values()), answered
    tried = {call.version for call in report.result.calls if call.through_router}
    assert tried & {6, 8}, "candidates that were taken back had a share"
    assert [rollback.version for rollback in report.rollbacks] == [6, 9]
