"""The traps of the real server: what happens to whoever steps into them, and what the tool does."""

from __future__ import annotations

import shutil
import time

import pytest
from support import broken_models
from support.deployed import POLLING, QUICK, Deployed, answering, reload, states, until

ONLY_1 = "model_version_policy { specific { versions: 1 } }"
ONLY_2 = "model_version_policy { specific { versions: 2 } }"
BOTH = "model_version_policy { specific { versions: 1 versions: 2 } }"
ONE_AND_THREE = "model_version_policy { specific { versions: 1 versions: 3 } }"
ONLY_3 = "model_version_policy { specific { versions: 3 } }"
WHILE = 1.5
"""Seconds in which a server looks at the disk once at least, and begins what it wants to load."""


@pytest.fixture(scope="module")
def broken(quick_version, tmp_path_factory):
    """A version that no server can load."""
    return broken_models.truncated(quick_version, tmp_path_factory.mktemp("broken") / "version")


@pytest.fixture
def deploy(quick_version, tmp_path):
    """Makes a deployment with version 1 on disk; its servers end with the test."""
    made = []

    def make(entry="", *, beside=""):
        deployed = Deployed(tmp_path / "deployed", quick_version)
        deployed.edit(deployed.text(entry, beside=beside))
        made.append(deployed)
        return deployed

    yield make
    for deployed in made:
        deployed.__exit__()


def other_model(base_path):
    """The entry of another model."""
    return f'config {{ name: "other" base_path: "{base_path}" model_platform: "tensorflow" }}'


def stays(server, expected):
    """Whether the versions are so, and still are after a while."""
    time.sleep(WHILE)
    return states(server) == expected


def test_a_version_left_for_one_that_fails_is_never_taken_up_again(deploy, broken, quick_version):
    deployed = deploy(ONLY_1)
    server = deployed.start()
    deployed.put(broken, 2)
    assert reload(server, deployed.text(ONLY_2)) == "OK"
    fallen = {1: "AVAILABLE", 2: "FAILED"}
    until(lambda: states(server) == fallen)
    assert answering(server) == 1  # all looks well
    deployed.put(quick_version, 3)
    for entry in (ONLY_1, ONE_AND_THREE):
        assert reload(server, deployed.text(entry)) == "OK"
        assert stays(server, fallen)
    assert reload(server, deployed.text(ONLY_3)) == "OK"
    until(lambda: states(server) == {1: "END", 2: "FAILED", 3: "AVAILABLE"})
    assert reload(server, deployed.text(ONE_AND_THREE)) == "OK"
    until(lambda: states(server)[1] == "AVAILABLE")


def test_the_tool_knows_a_fallen_back_version_and_the_way_out(deploy, broken, quick_version):
    deployed = deploy()  # no policy: the newest
    server = deployed.start(POLLING)
    deployed.put(broken, 2)
    until(lambda: states(server) == {1: "AVAILABLE", 2: "FAILED"})
    told = deployed.roll("status")
    assert told.code == 1
    assert "version 2 is wanted, and failed to load (END)" in told.words
    assert "version 1 is not wanted, and is AVAILABLE" in told.words
    before = deployed.config.read_text()
    refused = deployed.roll("promote", "1")
    assert refused.code == 1
    assert "a server never takes up again what it was told to leave" in refused.words
    assert "publish a version that loads and `promote` it" in refused.words
    refused = deployed.roll("canary", "1")
    assert refused.code == 1
    assert "version 2 could not be loaded" in refused.words
    assert deployed.config.read_text() == before

    published = deployed.roll("publish", quick_version)
    assert (published.code, published.errors) == (0, "")
    assert stays(server, {1: "AVAILABLE", 2: "FAILED"})  # it moved nothing
    promoted = deployed.roll("promote", "3")
    assert promoted.code == 0, promoted.words
    assert states(server) == {1: "END", 2: "FAILED", 3: "AVAILABLE"}
    told = deployed.roll("status", "--json")
    assert (told.code, told.json["drift"], told.json["stable"]) == (0, [], 3)
    assert deployed.roll("canary", "1").code == 0  # it may come back now
    assert states(server)[1] == "AVAILABLE"


def test_a_number_that_failed_is_never_tried_again(deploy, broken, quick_version):
    deployed = deploy()
    server = deployed.start()
    assert deployed.roll("promote", "1").code == 0
    deployed.put(broken, 2)
    assert reload(server, deployed.text(BOTH)) == "OK"
    until(lambda: states(server) == {1: "AVAILABLE", 2: "FAILED"})
    shutil.rmtree(deployed.base / "2")
    deployed.put(quick_version, 2)  # mended in place
    assert reload(server, deployed.text(BOTH)) == "OK"
    assert stays(server, {1: "AVAILABLE", 2: "FAILED"})
    for verb in ("run", "canary", "promote"):
        refused = deployed.roll(verb, "2")
        assert refused.code == 1
        assert "does not try the same number again" in refused.words
        assert "publish what is mended as version 3" in refused.words
    assert deployed.roll("run", quick_version).code == 0
    assert deployed.status()["stable"] == 3


def test_an_ok_to_a_reload_is_no_proof_and_the_tool_asks_for_the_status(deploy, broken):
    deployed = deploy()
    server = deployed.start()
    assert deployed.roll("promote", "1").code == 0
    deployed.put(broken, 2)
    told = deployed.roll("canary", "2")
    assert told.code == 1
    assert "version 2 could not be loaded" in told.words
    assert "did not take it" not in told.words  # the server said OK to every reload
    recorded = deployed.config.read_text()
    deployed.edit(recorded.replace("versions: 1", "versions: 1 versions: 2"))
    for _ in range(2):
        assert reload(server, deployed.config.read_text()) == "OK"
    told = deployed.roll("status")
    assert told.code == 1
    assert "version 2 is wanted, and failed to load (END)" in told.words
    assert deployed.roll("repair").code == 1


def test_a_label_on_a_version_that_is_not_there_refuses_all_of_the_configuration(
    deploy, quick_version
):
    deployed = deploy()
    server = deployed.start()
    assert deployed.roll("promote", "1").code == 0
    assert deployed.roll("publish", quick_version).code == 0
    recorded = deployed.config.read_text()
    in_one_step = recorded.replace("versions: 1", "versions: 1 versions: 2")
    said = reload(server, in_one_step.replace("value: 1", "value: 2"))
    assert said.startswith("FAILED_PRECONDITION Request to assign label to version 2")
    assert stays(server, {1: "AVAILABLE"})  # not even the version was taken
    assert answering(server, label="stable") == 1

    told = deployed.roll("promote", "2")
    assert told.code == 0, told.words
    assert "did not take it" not in told.words
    assert answering(server, label="stable") == 2
    steps = [
        event["kind"]
        for event in deployed.events()
        if event["kind"] in ("versions set", "labels set")
    ]
    assert steps[-2:] == ["versions set", "labels set"]


def test_labels_are_there_after_a_restart_only_with_their_flag(deploy, quick_version):
    deployed = deploy()
    for _ in range(2):
        deployed.start(POLLING)
    assert deployed.roll("promote", "1").code == 0
    assert deployed.roll("publish", quick_version).code == 0
    assert deployed.roll("promote", "2", "--without-gates").code == 0
    server = deployed.servers[1]
    server.stop()
    told = deployed.roll("status")
    assert told.code == 1
    assert f"{server.target} does not answer" in told.words

    again = deployed.start(POLLING, port=server.port)
    assert [answering(again, label=label) for label in ("stable", "previous")] == [2, 1]
    deployed.servers.remove(server)
    told = deployed.roll("status", "--json")
    assert (told.code, told.json["drift"]) == (0, [])
    again.stop()

    flag = "--allow_version_labels_for_unavailable_models=false"
    refused = deployed.start(flag, port=server.port, wait=False)
    code, _ = refused.wait_for_exit()
    assert code == 255
    assert "Request to assign label to version" in refused.log.read_text()
    deployed.servers.remove(again)
    told = deployed.roll("status")
    assert told.code == 1
    assert f"{server.target} does not answer" in told.words


def test_what_is_published_moves_traffic_by_itself_and_by_the_tool_it_does_not(
    deploy, quick_version
):
    deployed = deploy()
    server = deployed.start(POLLING)
    deployed.put(quick_version, 2)
    until(lambda: answering(server) == 2)
    until(lambda: states(server) == {1: "END", 2: "AVAILABLE"})
    told = deployed.roll("publish", quick_version, "--json")
    assert (told.code, told.json["version"]) == (0, 3)
    assert stays(server, {1: "END", 2: "AVAILABLE"})
    status = deployed.status()
    assert (status["stable"], status["policy"]["kind"], status["drift"]) == (2, "specific", [])


def test_a_reload_waits_for_ever_for_a_new_model_and_the_tool_does_not(
    deploy, quick_version, tmp_path
):
    deployed = deploy()
    server = deployed.start(POLLING)
    deployed.policy.write_text(QUICK.replace("timeout = 90.0", "timeout = 1.0"))
    assert deployed.roll("promote", "1").code == 0
    assert deployed.roll("publish", quick_version).code == 0
    empty = tmp_path / "other"
    empty.mkdir()
    recorded = deployed.config.read_text()
    with_other = recorded.rstrip().removesuffix("}") + other_model(empty) + "\n}\n"
    assert reload(server, with_other, 1).startswith("DEADLINE_EXCEEDED")
    assert reload(server, recorded, 1).startswith("DEADLINE_EXCEEDED")  # and all that follow

    told = deployed.roll("canary", "2", "--without-gates")
    assert told.code == 1
    assert "an earlier reload seems to wait for a model whose version never comes" in told.words
    assert answering(server, label="stable") == 1
    shutil.copytree(quick_version, empty / "1")
    until(lambda: reload(server, deployed.config.read_text(), 1) == "OK")
    deployed.policy.write_text(QUICK)
    assert deployed.roll("publish", quick_version).code == 0
    assert deployed.roll("canary", "3", "--without-gates").code == 0


def test_a_missing_folder_of_another_model_stops_all_discovery_and_the_tool_says_so(
    deploy, quick_version, tmp_path
):
    other = tmp_path / "other"
    shutil.copytree(quick_version, other / "1")
    deployed = deploy(beside=other_model(other))
    server = deployed.start(POLLING)
    deployed.policy.write_text(QUICK.replace("timeout = 90.0", "timeout = 1.0"))
    other.rename(tmp_path / "away")
    deployed.put(quick_version, 2)
    assert stays(server, {1: "AVAILABLE"})
    (tmp_path / "away").rename(other)
    until(lambda: states(server) == {1: "END", 2: "AVAILABLE"})

    assert deployed.roll("publish", quick_version).code == 0
    other.rename(tmp_path / "away")
    told = deployed.roll("canary", "3", "--without-gates")
    assert told.code == 1
    assert "version 3 is not taken up" in told.words
    assert answering(server, label="stable") == 2
    (tmp_path / "away").rename(other)
    deployed.policy.write_text(QUICK)
    assert deployed.roll("publish", quick_version).code == 0
    assert deployed.roll("canary", "4", "--without-gates").code == 0
