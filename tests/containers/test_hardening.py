"""Hardening, seen from inside: privileges, limits, networks, and what happens without memory.

The stories of other profiles check their containers in the same way.
"""

from __future__ import annotations

import os
import socket
from contextlib import closing

import pytest
import seq2sum
from containers import hardening, own_engine
from containers.project import NAME
from containers.run import WAIT_SECONDS, step, until

SLEEPERS = ("train", "rollout")
"""Services whose containers end by themselves; here they sleep instead."""
CONNECT = "timeout 5 bash -c ': <>/dev/tcp/{}/{}' && echo reached"
EAT_MEMORY = """\
read -r server _ </proc/1/task/1/children
echo 1000 >/proc/$server/oom_score_adj
tail /dev/zero
"""
"""Makes the server the first process to be killed, and then uses up the memory of its container."""


@pytest.fixture(scope="module")
def project(filled_project):
    filled_project.up()
    for service in SLEEPERS:
        options = ("--detach", "--no-deps", "--entrypoint", "sleep", "--name", f"{NAME}-{service}")
        filled_project.compose("run", *options, service, "900")
    return filled_project


def container_of(project, service):
    return f"{NAME}-{service}" if service in SLEEPERS else project.container(service)


def gateway(project, network):
    """Returns the address of the host in a network."""
    [found] = project.engine.inspect(f"{NAME}_{network}")
    return found["IPAM"]["Config"][0]["Gateway"]


@pytest.mark.parametrize("service", ["serving", *SLEEPERS])
def test_a_container_is_hardened(project, service):
    hardening.check(project, service, container_of(project, service))


def test_limits_of_the_server(project):
    seen = hardening.look(project, project.container("serving"))
    assert hardening.cpus(seen) == min(2, os.cpu_count())
    assert seen["core"] == "0"
    if project.engine.owned:
        assert int(seen["nofile"]) == min(65536, own_engine.max_open_files())


def test_nothing_leaves_the_inner_network(project):
    """`serving` has an address in both networks; only that of the inner one can be reached."""
    networks = project.state("serving")["NetworkSettings"]["Networks"]
    reached = {
        (service, network): project.execute(
            container_of(project, service),
            CONNECT.format(networks[f"{NAME}_{network}"]["IPAddress"], 8500),
            check=False,
        ).endswith("reached")
        for service in SLEEPERS
        for network in ("inside", "calls")
    }
    assert [path for path, arrived in reached.items() if arrived] == [("rollout", "inside")]


def test_a_service_without_network_has_loopback_only(project):
    names = project.execute(container_of(project, "train"), "ls /sys/class/net")
    assert names.split() == ["lo"]


def test_ports_are_open_on_loopback_only(project):
    for port in (8500, 8501):
        with closing(socket.create_connection(("127.0.0.1", port), timeout=10)):
            pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((gateway(project, "calls"), port), timeout=10)


def test_a_server_that_is_killed_for_lack_of_memory_is_restarted(project):
    container, began = project.container("serving"), project.state("serving")["State"]["StartedAt"]
    with step("serving runs out of memory and restarts"):
        project.engine.docker("exec", container, "bash", "-c", EAT_MEMORY, check=False)
        until(lambda: project.state("serving")["RestartCount"], what="a restart")
        filters = (f"--filter=container={container}", "--filter=event=oom")
        events = project.engine.docker("events", f"--since={began}", "--until=0s", *filters).stdout
        assert "oom" in events
        with seq2sum.Client("localhost:8500") as client:
            client.wait_until_available(timeout=WAIT_SECONDS)
            assert client.add("53+42").value == 95
