"""The story of `make soak-rollout`, told with small versions in a hurry."""

from __future__ import annotations

import pytest
from rollouts import story, world
from rollouts.report import Report
from rollouts.story import DEFAULT, FAST, SEED, SHUFFLED, Tempo

TEMPO = Tempo(calls=1500, swaps=2, calm=0.5, bake=0.6, settle=0.2)

pytestmark = pytest.mark.embedded


@pytest.fixture
def cast(small_version, shuffled_version):
    """Three good versions and one with shuffled weights."""
    good = dict.fromkeys([SEED, DEFAULT, FAST], small_version)
    return {**good, SHUFFLED: shuffled_version}


def test_versions_change_under_traffic_and_no_caller_notices(cast, tmp_path):
    with world.opened(tmp_path / "servers", cast[SEED], forked=True) as servers:
        report = Report.of(story.told(servers, cast, TEMPO))

    assert [text for good, text in report.verdicts() if not good] == []
    commands = [(one.verb, one.ended.code) for one in report.story.chapters]
    assert commands[:5] == [
        ("promote 1", 0), ("run 2", 0), ("run 3", 0), ("run 4", 1), ("run 5", 3),
    ]  # fmt: skip
    assert report.story.names[4] == SHUFFLED
    assert set(report.taken_back()) == {4}
    assert "publish a better version under a new number" in report.taken_back()[4]
    answered = {call.version for call in report.story.calls}
    assert answered >= {1, 2, 3, 5}, "each had its share of the traffic"
    assert all(call.right for call in report.story.calls)
