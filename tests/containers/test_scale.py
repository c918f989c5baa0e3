"""The profile `scale`: replicas behind the router, killed and added while callers use them."""

from __future__ import annotations

import re

import pytest
from containers import hardening
from containers.run import step, until
from deploy.balancing_load import Load

TARGET = "localhost:8540"
METRICS = """\
exec 3<>/dev/tcp/127.0.0.1/8501
printf '%s\\r\\n' 'GET /monitoring/prometheus/metrics HTTP/1.1' 'Host: x' 'Connection: close' '' >&3
cat <&3
"""
COUNT = re.compile(r'^:tensorflow:serving:request_count{[^}]*status="OK"} (\d+)', re.MULTILINE)
KILL = "kill -KILL $(cat /proc/1/task/1/children)"


@pytest.fixture(scope="module")
def project(filled_project):
    filled_project.up("router", "replica", profile="scale")
    return filled_project


def calls(project, replica):
    """Returns the number of calls that a replica has answered."""
    page = project.engine.docker("exec", replica, "bash", "-c", METRICS, check=False).stdout
    return sum(map(int, COUNT.findall(page)))


def healthy(project, replica):
    return project.engine.inspect(replica)[0]["State"].get("Health", {}).get("Status") == "healthy"


def until_all_answer(project):
    """Waits until every replica answers further calls, and returns their number."""
    replicas = project.containers("replica")
    for replica in replicas:
        until(lambda: healthy(project, replica), what=f"{replica} is healthy")  # noqa: B023
    before = {replica: calls(project, replica) for replica in replicas}
    until(
        lambda: all(calls(project, replica) > before[replica] for replica in replicas),
        what=f"calls to all of {replicas}",
    )
    return len(replicas)


@pytest.mark.parametrize("service", ["replica", "router"])
def test_containers_are_hardened(project, service):
    hardening.check(project, service, project.containers(service)[0])


def test_no_call_fails_while_replicas_are_killed_and_added(project):
    replicas = project.containers("replica")
    with Load(TARGET, timeout=20) as load:
        load.next_calls(100)
        assert until_all_answer(project) == 3
        with step("a server crashes and its container restarts"):
            project.execute(replicas[0], KILL, check=False)
            until(
                lambda: project.engine.inspect(replicas[0])[0]["RestartCount"],
                what="a restart",
            )
        with step("a container is killed, and four replicas started"):
            project.engine.docker("kill", replicas[1])
            load.next_calls(100)
            scale = ("--no-recreate", "--scale=replica=4")
            project.up("replica", profile="scale", options=scale)
        with step("calls reach all four"):
            assert until_all_answer(project) == 4
        with step("two replicas are removed"):
            project.up("replica", profile="scale", options=("--no-recreate", "--scale=replica=2"))
            load.next_calls(100)
    assert not load.failed, load.summary
    assert len(project.containers("replica")) == 2
