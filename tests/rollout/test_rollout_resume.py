"""A run that is killed for good, on servers that are asked all the while, and run again.

Every effect at which it can be killed is gone through without servers in the unit tests; here a
process is killed by SIGKILL at a few of them, and what it leaves is the system's to clean up.
"""

from __future__ import annotations

import signal

import pytest
from support.deployed import POLLING, QUICK, Deployed, Traffic, states, until

ONE_STEP = QUICK.replace("[10, 50]", "[50]").replace("min_calls = 5", "min_calls = 1")


@pytest.fixture(scope="module")
def deployed(small_version, tmp_path_factory):
    """Version 1 is stable on two servers; one polls the file of record."""
    with Deployed(tmp_path_factory.mktemp("deployed"), small_version) as opened:
        opened.policy.write_text(ONE_STEP)
        opened.start(POLLING)
        opened.start()
        assert opened.roll("promote", "1").code == 0
        yield opened


@pytest.fixture(scope="module")
def traffic(deployed):
    with Traffic(deployed, callers=1) as callers:
        yield callers


@pytest.mark.parametrize("moment", ["versions set", "labels set", "step started", "promoted"])
def test_killed_and_run_again_it_comes_to_its_end_and_no_call_fails(
    deployed, traffic, small_version, moment, undo
):
    undo(deployed)
    before = deployed.status()["stable"]
    traffic.seen()
    known = len(deployed.events())

    def come(what):
        return what in [event["kind"] for event in deployed.events()[known:]]

    with deployed.rolling("run", small_version) as process:
        try:
            until(lambda: come(moment) or process.poll() is not None)
        finally:
            process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert come(moment)
    assert not come("run ended")

    told = deployed.roll("run", small_version, "--json")
    assert told.code == 0, told.words
    version = told.json["version"]
    assert version == before + 1
    events = deployed.events()[known:]
    assert {one["version"] for one in events} <= {version, None}
    assert [one["details"] for one in events if one["kind"] == "run ended"] == [
        {"outcome": "Successful"}
    ]
    assert len({one["run"] for one in events} - {""}) == 1
    assert deployed.traffic.read_text() == '{"stable": 100.0}\n'
    status = deployed.roll("status", "--json")
    assert status.code == 0, status.words  # no replica is otherwise than the file of record says
    labels = {"stable": version, "canary": version, "previous": before}
    assert status.json["labels"]["recorded"] == labels
    for server in deployed.servers:
        loaded = {number for number, state in states(server).items() if state == "AVAILABLE"}
        assert loaded == {before, version}
    assert set(traffic.seen()) <= {before, version}
    until(lambda: traffic.calls > 5)
    assert set(traffic.seen()) == {version}
