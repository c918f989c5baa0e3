"""The profile `rollout`: a good and a bad version are judged apart, under unlabelled calls."""

from __future__ import annotations

import json
import shutil
import urllib.request

import grpc
import pytest
from containers import hardening, project
from containers.run import step
from deploy.router_callers import RouterCallers, predict
from seq2sum_serving.deployment.errors import Exit

DIRECT, ROUTER = "localhost:8500", "localhost:8540"
REST = "http://127.0.0.1:8501/v1/models/seq2sum/metadata"
POLICY = """
[latency]
samples = 20
max_p99_milliseconds = 10000.0
slack_milliseconds = 5000.0
[live]
min_calls = 5
max_p99_ratio = 1000.0
[traffic]
steps = [50]
mirror = 5.0
bake = 5.0
"""
"""For a busy machine."""


@pytest.fixture(scope="module")
def filled(engine, trained, tmp_path_factory):
    """The stable group with version 1, the candidate group and the router."""
    folder = tmp_path_factory.mktemp("rollout")
    with project.Project(engine, folder, models=trained, ROUTER="envoy") as opened:
        (opened.models / "policy.toml").write_text(POLICY)
        export(opened, "good")
        golden = export(opened, "bad") / "assets.extra" / "golden.jsonl"
        lines = [json.loads(line) for line in golden.read_text().splitlines()]
        for line in lines:
            line["expect"] = {"answers": ["wrong"]}
        golden.write_text("".join(json.dumps(line) + "\n" for line in lines))
        opened.give_to_operator()
        opened.up(profile="rollout")
        yield opened


def export(opened, name):
    """Copies version 1 to a folder outside the base path, as an export would be."""
    source = opened.models / "exports" / name
    shutil.copytree(opened.models / "seq2sum" / "1", source)
    return source


def run(opened, name):
    """Runs `rollout run` for an export."""
    with step(f"rollout run {name}"):
        policy = ("--policy", "/models/policy.toml")
        return opened.rollout("run", f"/models/exports/{name}", *policy, check=False)


def direct_versions():
    """Returns the versions that answer calls without a label, by gRPC and by REST."""
    with (
        grpc.insecure_channel(DIRECT) as channel,
        urllib.request.urlopen(REST, timeout=10) as reply,
    ):
        return {predict(channel), int(json.load(reply)["model_spec"]["version"])}


@pytest.mark.parametrize("service", ["candidate", "router"])
def test_containers_are_hardened(filled, service):
    hardening.check(filled, service, filled.containers(service)[0])


def test_good_version_bad_version_and_rollback_fail_no_call(filled):
    with RouterCallers(ROUTER) as callers:
        callers.next_calls(20)
        done = run(filled, "good")
        assert done.returncode == Exit.DONE, done.stderr
        assert "version 2 is stable" in done.stdout
        assert callers.next_calls(20).keys() == direct_versions() == {2}
        assert {call.version for call in callers.calls} >= {1, 2}

        done = run(filled, "bad")
        assert done.returncode == Exit.FAILED, done.stderr
        assert "golden: " in done.stderr
        assert callers.next_calls(20).keys() == direct_versions() == {2}

        with step("rollout rollback"):
            filled.rollout("rollback", "--reason", "to see it")
        assert callers.next_calls(20).keys() == direct_versions() == {1}
    assert not callers.failed, callers.failed[:3]
    assert {call.version for call in callers.calls} - {None} == {1, 2}
