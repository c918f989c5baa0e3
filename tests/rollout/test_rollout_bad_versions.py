"""What should never get through: bad versions, bad files, full disks, other operators.

Two servers are asked all the while. One polls the file of record, the other one takes what it is
told. Whatever happens here, their callers do not notice it.
"""

from __future__ import annotations

import json
import time

import pytest
from support.deployed import POLLING, QUICK, Deployed, Traffic, answering, reload, states, until
from support.servers import free_port

POLL_SECONDS, POLLS = 1, 3
"""Of the server that polls the file, and how often it polls while a test waits."""
LONG_BAKE = QUICK.replace("bake = 1", "bake = 60")


@pytest.fixture(scope="module")
def deployed(quick_version, tmp_path_factory):
    """Version 1 is stable on both servers, at the beginning and the end of each test."""
    with Deployed(tmp_path_factory.mktemp("deployed"), quick_version) as opened:
        opened.start(POLLING)
        opened.start()
        assert opened.roll("promote", "1").code == 0
        yield opened


@pytest.fixture(scope="module")
def callers(deployed):
    with Traffic(deployed) as traffic:
        yield traffic


@pytest.fixture(autouse=True)
def traffic(deployed, callers, undo):
    """Callers who see nothing of a test: what they ask is answered, and by version 1."""
    undo(deployed)
    callers.seen()
    yield callers
    until(lambda: callers.calls > 20)
    assert set(callers.seen()) == {1}
    assert all(answering(server, label="stable") == 1 for server in deployed.servers)


@pytest.fixture
def trial(deployed, quick_version):
    """A good version on trial, without traffic; it is unloaded after the test."""
    version = deployed.roll("publish", quick_version, "--json").json["version"]
    told = deployed.roll("canary", str(version), "--without-gates")
    assert told.code == 0, told.words
    yield version
    if deployed.status()["canary"] == version:
        assert deployed.roll("rollback").code == 0
    assert deployed.roll("retire", str(version)).code == 0


BAD = {
    "other_contract": ("contract", "contract is 2 and has to be 1", "under a new number"),
    "fewer_signatures": ("signatures", "probabilities is missing", "under a new number"),
    "wrong": ("golden", "0 of 100 golden questions right", "publish a better version"),
    "slow": ("latency", "times stable's", "publish a quicker version"),
    "truncated": ("", "could not be loaded by", "Read less bytes than requested"),
}
"""By version: the gate that stops it, if it comes to one; what is found; and what to do."""


@pytest.mark.parametrize(("name", "gate", "found", "advice"), [(k, *v) for k, v in BAD.items()])
def test_a_bad_version_ends_at_the_gate_that_is_meant_for_it(
    deployed, bad_versions, name, gate, found, advice
):
    before = deployed.config.read_text()
    told = deployed.roll("run", bad_versions[name], "--json")
    assert told.code == 1
    assert found in told.json["error"]
    assert advice in told.json["error"]
    version = told.json["version"]

    status = deployed.status()
    assert (status["stable"], status["canary"], status["drift"]) == (1, None, [])
    assert deployed.config.read_text() == before
    assert json.loads(deployed.traffic.read_text()) == {"stable": 100}
    for server in deployed.servers:
        assert states(server).get(version) in (None, "END", "FAILED")

    judged = [event for event in deployed.events("measurement") if event["version"] == version]
    failed = [e["details"]["gate"] for e in judged if e["details"]["verdict"] == "Failed"]
    assert failed[:1] == ([gate] if gate else [])
    assert version not in [event["version"] for event in deployed.events("canary started")]
    again = deployed.roll("run", str(version))
    assert again.code == 1
    assert "A number is never used again: publish what is mended" in again.words


NONSENSE = {
    "a brace too few": ("line ", lambda text: text.rstrip().removesuffix("}")),
    "a field that there is not": ("line 3:", lambda text: text.replace("config {", "conf {")),
    "not even text": ("cannot read", lambda _: "\udcff\udcfe"),
    "nothing at all": ("no model 'seq2sum'", lambda _: ""),
    "another model": ("no model 'seq2sum'", lambda text: text.replace('"seq2sum"', '"sums"')),
    "a path from nowhere": ("absolute", lambda text: text.replace('path: "/', 'path: "')),
    "no platform": ("model_platform", lambda text: text.replace("model_platform", "# ")),
}


@pytest.mark.parametrize(("words", "spoil"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_in_the_file_of_record_is_told_and_nothing_is_touched(deployed, words, spoil):
    edited = deployed.folder / "edited.config"
    nonsense = spoil(deployed.config.read_text())
    edited.write_bytes(nonsense.encode(errors="surrogateescape"))
    files = deployed.bytes()
    for line in (["status"], ["run", "1"], ["canary", "1"], ["rollback"], ["repair"]):
        told = deployed.roll(*line, "--config", edited)
        assert told.code == 2
        assert words in told.words
        assert str(edited) in told.words
    assert deployed.bytes() == files


def test_servers_go_on_with_what_they_have_while_the_file_is_nonsense(deployed, callers):
    before = deployed.config.read_bytes()
    deployed.config.write_bytes(before.rstrip().removesuffix(b"}"))
    try:
        time.sleep(POLLS * POLL_SECONDS)  # that a poll changes nothing can only be waited for
        asked = callers.calls
        until(lambda: callers.calls > asked + 20)
    finally:
        deployed.config.write_bytes(before)
    assert deployed.roll("status").code == 0


def test_the_polling_server_reads_the_file_again_after_nonsense(deployed, trial):
    polling, _ = deployed.servers
    before = deployed.config.read_bytes()
    assert answering(polling, label="canary") == trial
    try:
        deployed.config.write_bytes(b"nonsense {")
        time.sleep(POLLS * POLL_SECONDS)
        deployed.config.write_bytes(before.replace(f"value: {trial}".encode(), b"value: 1"))
        until(lambda: answering(polling, label="canary") == 1)
    finally:
        deployed.config.write_bytes(before)
    until(lambda: answering(polling, label="canary") == trial)


def test_a_target_that_is_down_stops_changes_but_no_rollback(deployed, trial):
    down = f"127.0.0.1:{free_port()}"
    targets = f"{deployed.targets},{down}"
    told = deployed.roll("status", targets=targets)
    assert told.code == 1
    assert f"{down} does not answer" in told.words
    for line in (["promote", str(trial)], ["canary", str(trial)], ["retire", "1"], ["repair"]):
        told = deployed.roll(*line, targets=targets)
        assert told.code == 1
    assert f"{down}: UNAVAILABLE" in told.words
    assert "start it, or leave it out of --targets" in told.words

    told = deployed.roll("rollback", "--json", targets=targets)
    assert told.code == 1
    assert (told.json["stable"], told.json["left"]) == (1, trial)
    assert f"{down} does not answer and was left out" in told.json["error"]
    for server in deployed.servers:
        assert answering(server, label="canary") == 1


def test_a_label_that_drifted_on_one_replica_is_told_and_put_right(deployed, trial):
    polling, told_only = deployed.servers
    recorded = deployed.config.read_text()
    on_one = recorded.replace(f"value: {trial}", "value: 1")
    assert on_one != recorded
    assert reload(told_only, on_one) == "OK"
    assert [answering(server, label="canary") for server in (polling, told_only)] == [trial, 1]
    told = deployed.roll("status")
    assert told.code == 1
    drifted = f"label canary should be version {trial}, and is version 1 on {told_only.target}"
    assert drifted in told.words
    planned = deployed.roll("repair", "--dry-run")
    assert planned.code == 0
    assert "tell every replica what models.config says" in planned.words
    told = deployed.roll("repair", "--json")
    assert told.code == 0, told.words
    assert told.json["drift"] == []
    assert answering(told_only, label="canary") == trial
    assert deployed.config.read_text() == recorded


FULL = {
    "no room for the version": (100_000, "cannot publish"),
    "no room for the history": (100, "cannot write the history"),
}


@pytest.mark.parametrize(("room", "words"), FULL.values(), ids=FULL)
def test_a_full_disk_is_told_and_leaves_nothing_half_written(deployed, quick_version, room, words):
    before = deployed.bytes()
    line = ("run", quick_version) if room < 1000 else ("publish", quick_version)
    process = deployed.rolling(*line, most_bytes=room)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1, errors
    assert words in errors
    assert "File too large" in errors
    assert deployed.bytes() == before


def test_a_file_of_record_that_cannot_be_written_stays_as_it_is(deployed, quick_version):
    version = deployed.roll("publish", quick_version, "--json").json["version"]
    before = deployed.config.read_text()
    deployed.edit(f"{before}# {'so much room is in no history ' * 5000}\n")
    try:
        files = deployed.bytes()
        process = deployed.rolling("canary", str(version), "--without-gates", most_bytes=100_000)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert f"cannot write {deployed.config}: File too large" in errors
        assert "It is as it was, and so is traffic" in errors
        left = deployed.bytes()
        assert set(left) == set(files)
        assert left[str(deployed.config)] == files[str(deployed.config)]
        assert deployed.roll("status").code == 0
    finally:
        deployed.edit(before)


def test_of_two_operators_the_second_waits_but_for_a_rollback(deployed, callers, quick_version):
    version = str(deployed.roll("publish", quick_version, "--json").json["version"])
    policy = deployed.folder / "long.toml"
    policy.write_text(LONG_BAKE.replace("steps = [10, 50]", "steps = [1]"))
    first = deployed.rolling("run", version, "--policy", policy)
    try:
        deployed.until_event("step started", int(version))
        before = deployed.config.read_text()
        for line in (["promote", version], ["retire", "1"], ["publish", quick_version]):
            told = deployed.roll(*line)
            assert told.code == 1
        assert "another rollout is under way: run by " in told.words
        assert "`rollback` works at any time" in told.words
        assert deployed.config.read_text() == before
        assert deployed.roll("rollback", "--why", "enough").code == 0
        _, errors = first.communicate(timeout=60)
    finally:
        first.kill()
        first.wait()
    assert first.returncode == 1
    assert "somebody else has ended it" in errors
    assert deployed.status()["stable"] == 1
    assert [event["reason"] for event in deployed.events("rolled back")][-1] == "enough"
    assert deployed.events("run ended")[-1]["details"]["outcome"] == "Failed"
    assert deployed.roll("retire", version).code == 0
    assert set(callers.seen()) <= {1, int(version)}
