"""The scenario of `make soak-rollout`, with small versions and short steps."""

from __future__ import annotations

import pytest

from benchmarks.rollout.deployment import deploy
from benchmarks.rollout.report import Report
from benchmarks.rollout.scenario import (
    DEFAULT,
    FAST,
    SEED,
    SHUFFLED,
    ScenarioOptions,
    run_scenario,
)

OPTIONS = ScenarioOptions(calls=1500, swaps=2, quiet=0.5, bake=0.6, settle=0.2)

pytestmark = pytest.mark.embedded


@pytest.fixture
def versions(small_version, shuffled_version):
    """Three good versions and one with shuffled weights."""
    good = dict.fromkeys([SEED, DEFAULT, FAST], small_version)
    return {**good, SHUFFLED: shuffled_version}


def test_rollouts_with_callers_fail_no_call(versions, tmp_path):
    with deploy(tmp_path / "servers", versions[SEED], forked=True) as deployment:
        report = Report.of(run_scenario(deployment, versions, OPTIONS))

    assert [text for ok, text in report.checks() if not ok] == []
    commands = [(one.command, one.result.exit_code) for one in report.result.commands]
    assert commands[:5] == [
        ("promote 1", 0), ("run 2", 0), ("run 3", 0), ("run 4", 1), ("run 5", 3),
    ]  # fmt: skip
    assert report.result.names[4] == SHUFFLED
    assert set(report.aborted()) == {4}
    assert "publish a better version under a new number" in report.aborted()[4]
    answered = {call.version for call in report.result.calls}
    assert answered >= {1, 2, 3, 5}, "a version got no traffic"
    assert all(call.correct for call in report.result.calls)
