"""Runs that are killed by SIGKILL and resumed, on real servers with callers.

`test_kill` kills a run at each of its effects, without servers or processes.
"""

from __future__ import annotations

import signal

import pytest
from support.deployed import POLLING, QUICK, Deployed, states, until
from support.weighted_callers import Callers

ONE_STEP = QUICK.replace("[10, 50]", "[50]").replace("min_calls = 5", "min_calls = 1")


@pytest.fixture(scope="module")
def deployed(small_version, tmp_path_factory):
    """Version 1 is stable on two servers; one of them polls the model config file."""
    with Deployed(tmp_path_factory.mktemp("deployed"), small_version) as opened:
        opened.policy.write_text(ONE_STEP)
        opened.start(POLLING)
        opened.start()
        assert opened.rollout("promote", "1").code == 0
        yield opened


@pytest.fixture(scope="module")
def callers(deployed):
    with Callers(deployed, count=1) as running:
        yield running


@pytest.mark.parametrize("moment", ["versions set", "labels set", "step started", "promoted"])
def test_killed_run_resumes_and_no_call_fails(deployed, callers, small_version, moment, undo):
    undo(deployed)
    before = deployed.status()["stable"]
    callers.take_answers()
    known = len(deployed.events())

    def is_recorded(kind):
        return kind in [event["kind"] for event in deployed.events()[known:]]

    with deployed.start_rollout("run", small_version) as process:
        try:
            until(lambda: is_recorded(moment) or process.poll() is not None)
        finally:
            process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert is_recorded(moment)
    assert not is_recorded("run ended")

    result = deployed.rollout("run", small_version, "--json")
    assert result.code == 0, result.text
    version = result.json["version"]
    assert version == before + 1
    events = deployed.events()[known:]
    assert {event["version"] for event in events} <= {version, None}
    assert [event["details"] for event in events if event["kind"] == "run ended"] == [
        {"outcome": "Successful"}
    ]
    assert len({event["run"] for event in events} - {""}) == 1
    assert deployed.traffic.read_text() == '{"stable": 100.0}\n'
    status = deployed.rollout("status", "--json")
    assert status.code == 0, status.text  # no drift
    labels = {"stable": version, "canary": version, "previous": before}
    assert status.json["labels"]["recorded"] == labels
    for server in deployed.servers:
        loaded = {number for number, state in states(server).items() if state == "AVAILABLE"}
        assert loaded == {before, version}
    assert set(callers.take_answers()) <= {before, version}
    until(lambda: callers.calls > 5)
    assert set(callers.take_answers()) == {version}
