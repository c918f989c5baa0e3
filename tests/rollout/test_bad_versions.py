"""Bad versions, invalid files, full disks and concurrent operators, on real servers.

Two servers have callers all the time. One polls the model config file; the other one is only
reloaded. No call may fail.
"""

from __future__ import annotations

import json
import time

import pytest
from support.deployed import (
    POLLING,
    QUICK,
    Deployed,
    reload,
    served_version,
    states,
    until,
)
from support.servers import free_port
from support.weighted_callers import Callers

POLL_SECONDS, POLLS = 1, 3
"""The polling interval of a server, and the number of polls that a test waits for."""
LONG_STEP = QUICK.replace("bake = 1", "bake = 60")


@pytest.fixture(scope="module")
def deployed(quick_version, tmp_path_factory):
    """Version 1 is stable on both servers, at the start and the end of each test."""
    with Deployed(tmp_path_factory.mktemp("deployed"), quick_version) as opened:
        opened.start(POLLING)
        opened.start()
        assert opened.rollout("promote", "1").code == 0
        yield opened


@pytest.fixture(scope="module")
def callers(deployed):
    with Callers(deployed) as running:
        yield running


@pytest.fixture(autouse=True)
def only_version_1_answers(deployed, callers, undo):
    """Checks after each test that all calls succeed, and that version 1 answers them."""
    undo(deployed)
    callers.take_answers()
    yield
    until(lambda: callers.calls > 20)
    assert set(callers.take_answers()) == {1}
    assert all(served_version(server, label="stable") == 1 for server in deployed.servers)


@pytest.fixture
def canary(deployed, quick_version):
    """A good version as canary, without traffic; it is unloaded after the test."""
    version = deployed.rollout("publish", quick_version, "--json").json["version"]
    result = deployed.rollout("canary", str(version), "--without-gates")
    assert result.code == 0, result.text
    yield version
    if deployed.status()["canary"] == version:
        assert deployed.rollout("rollback").code == 0
    assert deployed.rollout("retire", str(version)).code == 0


BAD = {
    "other_contract": (
        "contract",
        "alphabet is '0123456789+ ', and ' +0123456789' in",
        "under a new number",
    ),
    "fewer_signatures": ("signatures", "probabilities is missing", "under a new number"),
    "wrong": (
        "golden",
        "15 of 115 golden requests answered as expected",
        "publish a better version",
    ),
    "slow": ("latency", "times stable's", "publish a faster version"),
    "truncated": ("", "could not be loaded by", "Read less bytes than requested"),
}
"""By version: the gate that fails, if any; parts of the message: the problem and the advice."""


@pytest.mark.parametrize(("name", "gate", "problem", "advice"), [(k, *v) for k, v in BAD.items()])
def test_bad_version_fails_its_gate(deployed, bad_versions, name, gate, problem, advice):
    before = deployed.config.read_text()
    result = deployed.rollout("run", bad_versions[name], "--json")
    assert result.code == 1
    assert problem in result.json["error"]
    assert advice in result.json["error"]
    version = result.json["version"]

    status = deployed.status()
    assert (status["stable"], status["canary"], status["drift"]) == (1, None, [])
    assert deployed.config.read_text() == before
    assert json.loads(deployed.traffic.read_text()) == {"stable": 100}
    for server in deployed.servers:  # a version may still be in START when the run is aborted
        until(lambda server=server: states(server).get(version) in (None, "END", "FAILED"))

    judged = [event for event in deployed.events("measurement") if event["version"] == version]
    failed = [e["details"]["gate"] for e in judged if e["details"]["verdict"] == "Failed"]
    assert failed[:1] == ([gate] if gate else [])
    assert version not in [event["version"] for event in deployed.events("canary started")]
    again = deployed.rollout("run", str(version))
    assert again.code == 1
    assert "Version numbers are never reused: publish the fixed model" in again.text


INVALID_CONFIGS = {
    "missing brace": ("line ", lambda text: text.rstrip().removesuffix("}")),
    "unknown field": ("line 3:", lambda text: text.replace("config {", "conf {")),
    "not text": ("cannot read", lambda _: "\udcff\udcfe"),
    "empty": ("model 'seq2sum' is missing", lambda _: ""),
    "another model": (
        "model 'seq2sum' is missing",
        lambda text: text.replace('"seq2sum"', '"sums"'),
    ),
    "relative path": ("absolute", lambda text: text.replace('path: "/', 'path: "')),
    "no platform": ("model_platform", lambda text: text.replace("model_platform", "# ")),
}


@pytest.mark.parametrize(("message", "edit"), INVALID_CONFIGS.values(), ids=INVALID_CONFIGS)
def test_invalid_config_file_is_reported_and_changes_nothing(deployed, message, edit):
    edited = deployed.folder / "edited.config"
    text = edit(deployed.config.read_text())
    edited.write_bytes(text.encode(errors="surrogateescape"))
    files = deployed.bytes()
    for line in (["status"], ["run", "1"], ["canary", "1"], ["rollback"], ["repair"]):
        result = deployed.rollout(*line, "--config", edited, "--model", "seq2sum")
        assert result.code == 2
        assert message in result.text
        assert str(edited) in result.text
    assert deployed.bytes() == files


def test_servers_keep_serving_while_the_config_file_is_invalid(deployed, callers):
    before = deployed.config.read_bytes()
    deployed.config.write_bytes(before.rstrip().removesuffix(b"}"))
    try:
        time.sleep(POLLS * POLL_SECONDS)  # polls must have no effect, so there is none to wait for
        before_wait = callers.calls
        until(lambda: callers.calls > before_wait + 20)
    finally:
        deployed.config.write_bytes(before)
    assert deployed.rollout("status").code == 0


def test_polling_server_recovers_from_an_invalid_config_file(deployed, canary):
    polling, _ = deployed.servers
    before = deployed.config.read_bytes()
    assert served_version(polling, label="canary") == canary
    try:
        deployed.config.write_bytes(b"nonsense {")
        time.sleep(POLLS * POLL_SECONDS)
        deployed.config.write_bytes(before.replace(f"value: {canary}".encode(), b"value: 1"))
        until(lambda: served_version(polling, label="canary") == 1)
    finally:
        deployed.config.write_bytes(before)
    until(lambda: served_version(polling, label="canary") == canary)


def test_replica_that_is_down_blocks_all_commands_but_rollback(deployed, canary):
    down = f"127.0.0.1:{free_port()}"
    targets = f"{deployed.targets},{down}"
    result = deployed.rollout("status", targets=targets)
    assert result.code == 1
    assert f"{down} does not answer" in result.text
    for line in (["promote", str(canary)], ["canary", str(canary)], ["retire", "1"], ["repair"]):
        result = deployed.rollout(*line, targets=targets)
        assert result.code == 1
    assert f"{down}: UNAVAILABLE" in result.text
    assert "start it, or leave it out of --targets" in result.text

    result = deployed.rollout("rollback", "--json", targets=targets)
    assert result.code == 4
    assert (result.json["stable"], result.json["rolled_back"]) == (1, canary)
    assert f"{down} does not answer and was skipped" in result.json["error"]
    for server in deployed.servers:
        assert served_version(server, label="canary") == 1


def test_repair_moves_a_drifted_label(deployed, canary):
    polling, reloaded = deployed.servers
    recorded = deployed.config.read_text()
    on_one = recorded.replace(f"value: {canary}", "value: 1")
    assert on_one != recorded
    assert reload(reloaded, on_one) == "OK"
    assert [served_version(server, label="canary") for server in (polling, reloaded)] == [canary, 1]
    result = deployed.rollout("status")
    assert result.code == 1
    drifted = f"label canary should be version {canary}, and is version 1 on {reloaded.target}"
    assert drifted in result.text
    planned = deployed.rollout("repair", "--dry-run")
    assert planned.code == 0
    assert "reload the model config file on every replica" in planned.text
    result = deployed.rollout("repair", "--json")
    assert result.code == 0, result.text
    assert result.json["drift"] == []
    assert served_version(reloaded, label="canary") == canary
    assert deployed.config.read_text() == recorded


FULL_DISKS = {
    "no room for the version": (100_000, "cannot publish"),
    "no room for the history": (100, "cannot write the history"),
}


@pytest.mark.parametrize(("max_bytes", "message"), FULL_DISKS.values(), ids=FULL_DISKS)
def test_full_disk_is_reported_and_leaves_no_partial_files(
    deployed, quick_version, max_bytes, message
):
    before = deployed.bytes()
    line = ("run", quick_version) if max_bytes < 1000 else ("publish", quick_version)
    process = deployed.start_rollout(*line, max_bytes=max_bytes)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert message in errors
    assert "File too large" in errors
    assert deployed.bytes() == before


def test_config_file_that_cannot_be_written_stays_unchanged(deployed, quick_version):
    version = deployed.rollout("publish", quick_version, "--json").json["version"]
    before = deployed.config.read_text()
    deployed.edit(f"{before}# {'longer than any history ' * 5000}\n")
    try:
        files = deployed.bytes()
        process = deployed.start_rollout(
            "canary", str(version), "--without-gates", max_bytes=100_000
        )
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert f"cannot write {deployed.config}: File too large" in errors
        assert "The file and the traffic are unchanged" in errors
        after = deployed.bytes()
        assert set(after) == set(files)
        assert after[str(deployed.config)] == files[str(deployed.config)]
        assert deployed.rollout("status").code == 0
    finally:
        deployed.edit(before)


def test_second_operator_can_only_roll_back_during_a_run(deployed, callers, quick_version):
    version = str(deployed.rollout("publish", quick_version, "--json").json["version"])
    policy = deployed.folder / "long.toml"
    policy.write_text(LONG_STEP.replace("steps = [10, 50]", "steps = [1]"))
    first = deployed.start_rollout("run", version, "--policy", policy)
    try:
        deployed.until_event("step started", int(version))
        before = deployed.config.read_text()
        for line in (["promote", version], ["retire", "1"], ["publish", quick_version]):
            result = deployed.rollout(*line)
            assert result.code == 1
        assert "another rollout of this model is in progress: run by " in result.text
        assert "`rollback` works at any time" in result.text
        assert deployed.config.read_text() == before
        assert deployed.rollout("rollback", "--reason", "enough").code == 0
        _, errors = first.communicate(timeout=60)
    finally:
        first.kill()
        first.wait()
    assert first.returncode == 1
    assert "somebody else ended it" in errors
    assert deployed.status()["stable"] == 1
    assert [event["reason"] for event in deployed.events("rolled back")][-1] == "enough"
    assert deployed.events("run ended")[-1]["details"]["outcome"] == "Failed"
    assert deployed.rollout("retire", version).code == 0
    assert set(callers.take_answers()) <= {1, int(version)}
