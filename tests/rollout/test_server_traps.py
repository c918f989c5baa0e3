"""Pitfalls of tensorflow_model_server, and how the rollout commands avoid them."""

from __future__ import annotations

import shutil
import time

import pytest
from support import broken_models
from support.deployed import POLLING, QUICK, Deployed, reload, served_version, states, until

ONLY_1 = "model_version_policy { specific { versions: 1 } }"
ONLY_2 = "model_version_policy { specific { versions: 2 } }"
BOTH = "model_version_policy { specific { versions: 1 versions: 2 } }"
ONE_AND_THREE = "model_version_policy { specific { versions: 1 versions: 3 } }"
ONLY_3 = "model_version_policy { specific { versions: 3 } }"
SEVERAL_POLLS = 1.5
"""Seconds within which a server polls its file system and starts to load versions."""


@pytest.fixture(scope="module")
def broken(quick_version, tmp_path_factory):
    """A version that cannot be loaded."""
    return broken_models.truncated(quick_version, tmp_path_factory.mktemp("broken") / "version")


@pytest.fixture
def deploy(quick_version, tmp_path):
    """Makes a deployment with version 1 on disk; its servers stop after the test."""
    made = []

    def make(entry="", *, other=""):
        deployed = Deployed(tmp_path / "deployed", quick_version)
        deployed.edit(deployed.text(entry, other=other))
        made.append(deployed)
        return deployed

    yield make
    for deployed in made:
        deployed.__exit__()


def other_model(base_path):
    """Returns the config entry of another model."""
    return f'config {{ name: "other" base_path: "{base_path}" model_platform: "tensorflow" }}'


def remains(server, expected):
    """Returns whether the versions still have the expected states after some polls."""
    time.sleep(SEVERAL_POLLS)
    return states(server) == expected


def test_server_never_aspires_again_to_a_version_it_fell_back_to(deploy, broken, quick_version):
    deployed = deploy(ONLY_1)
    server = deployed.start()
    deployed.copy_version(broken, 2)
    assert reload(server, deployed.text(ONLY_2)) == "OK"
    fallback = {1: "AVAILABLE", 2: "FAILED"}
    until(lambda: states(server) == fallback)
    assert served_version(server) == 1  # looks healthy
    deployed.copy_version(quick_version, 3)
    for entry in (ONLY_1, ONE_AND_THREE):
        assert reload(server, deployed.text(entry)) == "OK"
        assert remains(server, fallback)
    assert reload(server, deployed.text(ONLY_3)) == "OK"
    until(lambda: states(server) == {1: "END", 2: "FAILED", 3: "AVAILABLE"})
    assert reload(server, deployed.text(ONE_AND_THREE)) == "OK"
    until(lambda: states(server)[1] == "AVAILABLE")


def test_commands_explain_and_end_a_fallback(deploy, broken, quick_version):
    deployed = deploy()  # default policy: the newest version
    server = deployed.start(POLLING)
    deployed.copy_version(broken, 2)
    until(lambda: states(server) == {1: "AVAILABLE", 2: "FAILED"})
    result = deployed.rollout("status")
    assert result.code == 1
    assert "version 2 is aspired, and failed to load (END)" in result.text
    assert "version 1 is not aspired, and is AVAILABLE" in result.text
    before = deployed.config.read_text()
    refused = deployed.rollout("promote", "1")
    assert refused.code == 1
    assert "a server never aspires again to a version that it was asked to unload" in refused.text
    assert "publish a version that loads and `promote` it" in refused.text
    refused = deployed.rollout("canary", "1")
    assert refused.code == 1
    assert "version 2 could not be loaded" in refused.text
    assert deployed.config.read_text() == before

    published = deployed.rollout("publish", quick_version)
    assert (published.code, published.errors) == (0, "")
    assert remains(server, {1: "AVAILABLE", 2: "FAILED"})  # publishing changed nothing
    promoted = deployed.rollout("promote", "3")
    assert promoted.code == 0, promoted.text
    assert states(server) == {1: "END", 2: "FAILED", 3: "AVAILABLE"}
    result = deployed.rollout("status", "--json")
    assert (result.code, result.json["drift"], result.json["stable"]) == (0, [], 3)
    assert deployed.rollout("canary", "1").code == 0  # version 1 can be loaded again
    assert states(server)[1] == "AVAILABLE"


def test_failed_version_numbers_are_never_reused(deploy, broken, quick_version):
    deployed = deploy()
    server = deployed.start()
    assert deployed.rollout("promote", "1").code == 0
    deployed.copy_version(broken, 2)
    assert reload(server, deployed.text(BOTH)) == "OK"
    until(lambda: states(server) == {1: "AVAILABLE", 2: "FAILED"})
    shutil.rmtree(deployed.base / "2")
    deployed.copy_version(quick_version, 2)  # fixed in place
    assert reload(server, deployed.text(BOTH)) == "OK"
    assert remains(server, {1: "AVAILABLE", 2: "FAILED"})
    for command in ("run", "canary", "promote"):
        refused = deployed.rollout(command, "2")
        assert refused.code == 1
        assert "does not load the same number again" in refused.text
        assert "publish the fixed model as version 3" in refused.text
    assert deployed.rollout("run", quick_version).code == 0
    assert deployed.status()["stable"] == 3


def test_commands_do_not_trust_an_ok_reply_to_a_reload(deploy, broken):
    deployed = deploy()
    server = deployed.start()
    assert deployed.rollout("promote", "1").code == 0
    deployed.copy_version(broken, 2)
    result = deployed.rollout("canary", "2")
    assert result.code == 1
    assert "version 2 could not be loaded" in result.text
    assert "refused the reload" not in result.text  # the server replied OK to every reload
    recorded = deployed.config.read_text()
    deployed.edit(recorded.replace("versions: 1", "versions: 1 versions: 2"))
    for _ in range(2):
        assert reload(server, deployed.config.read_text()) == "OK"
    result = deployed.rollout("status")
    assert result.code == 1
    assert "version 2 is aspired, and failed to load (END)" in result.text
    assert deployed.rollout("repair").code == 1


def test_label_on_an_unavailable_version_refuses_the_whole_config(deploy, quick_version):
    deployed = deploy()
    server = deployed.start()
    assert deployed.rollout("promote", "1").code == 0
    assert deployed.rollout("publish", quick_version).code == 0
    recorded = deployed.config.read_text()
    in_one_step = recorded.replace("versions: 1", "versions: 1 versions: 2")
    reply = reload(server, in_one_step.replace("value: 1", "value: 2"))
    assert reply.startswith("FAILED_PRECONDITION Request to assign label to version 2")
    assert remains(server, {1: "AVAILABLE"})  # not even the version was added
    assert served_version(server, label="stable") == 1

    result = deployed.rollout("promote", "2")
    assert result.code == 0, result.text
    assert "refused the reload" not in result.text
    assert served_version(server, label="stable") == 2
    steps = [
        event["kind"]
        for event in deployed.events()
        if event["kind"] in ("versions set", "labels set")
    ]
    assert steps[-2:] == ["versions set", "labels set"]


def test_labels_survive_a_restart_only_with_the_flag(deploy, quick_version):
    deployed = deploy()
    for _ in range(2):
        deployed.start(POLLING)
    assert deployed.rollout("promote", "1").code == 0
    assert deployed.rollout("publish", quick_version).code == 0
    assert deployed.rollout("promote", "2", "--without-gates").code == 0
    server = deployed.servers[1]
    server.stop()
    result = deployed.rollout("status")
    assert result.code == 1
    assert f"{server.target} does not answer" in result.text

    restarted = deployed.start(POLLING, port=server.port)
    assert [served_version(restarted, label=label) for label in ("stable", "previous")] == [2, 1]
    deployed.servers.remove(server)
    result = deployed.rollout("status", "--json")
    assert (result.code, result.json["drift"]) == (0, [])
    restarted.stop()

    flag = "--allow_version_labels_for_unavailable_models=false"
    refused = deployed.start(flag, port=server.port, wait=False)
    code, _ = refused.wait_for_exit()
    assert code == 255
    assert "Request to assign label to version" in refused.log.read_text()
    deployed.servers.remove(restarted)
    result = deployed.rollout("status")
    assert result.code == 1
    assert f"{server.target} does not answer" in result.text


def test_published_version_gets_traffic_only_without_rollouts(deploy, quick_version):
    deployed = deploy()
    server = deployed.start(POLLING)
    deployed.copy_version(quick_version, 2)
    until(lambda: served_version(server) == 2)
    until(lambda: states(server) == {1: "END", 2: "AVAILABLE"})
    result = deployed.rollout("publish", quick_version, "--json")
    assert (result.code, result.json["version"]) == (0, 3)
    assert remains(server, {1: "END", 2: "AVAILABLE"})
    status = deployed.status()
    assert (status["stable"], status["policy"]["kind"], status["drift"]) == (2, "specific", [])


def test_reload_that_waits_for_a_new_model_times_out(deploy, quick_version, tmp_path):
    deployed = deploy()
    server = deployed.start(POLLING)
    deployed.policy.write_text(QUICK.replace("timeout = 90.0", "timeout = 1.0"))
    assert deployed.rollout("promote", "1").code == 0
    assert deployed.rollout("publish", quick_version).code == 0
    empty = tmp_path / "other"
    empty.mkdir()
    recorded = deployed.config.read_text()
    with_other = recorded.rstrip().removesuffix("}") + other_model(empty) + "\n}\n"
    assert reload(server, with_other, 1).startswith("DEADLINE_EXCEEDED")
    assert reload(server, recorded, 1).startswith("DEADLINE_EXCEEDED")  # and every later one

    result = deployed.rollout("canary", "2", "--without-gates")
    assert result.code == 1
    assert "reload seems to wait for a model without a loadable version" in result.text
    assert served_version(server, label="stable") == 1
    shutil.copytree(quick_version, empty / "1")
    until(lambda: reload(server, deployed.config.read_text(), 1) == "OK")
    deployed.policy.write_text(QUICK)
    assert deployed.rollout("publish", quick_version).code == 0
    assert deployed.rollout("canary", "3", "--without-gates").code == 0


def test_missing_folder_of_another_model_stops_discovery(deploy, quick_version, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(quick_version, other / "1")
    deployed = deploy(other=other_model(other))

    def rollout(*line):
        return deployed.rollout(*line, "--model", "seq2sum")

    server = deployed.start(POLLING)
    deployed.policy.write_text(QUICK.replace("timeout = 90.0", "timeout = 1.0"))
    other.rename(tmp_path / "away")
    deployed.copy_version(quick_version, 2)
    assert remains(server, {1: "AVAILABLE"})
    (tmp_path / "away").rename(other)
    until(lambda: states(server) == {1: "END", 2: "AVAILABLE"})

    assert rollout("publish", quick_version).code == 0
    other.rename(tmp_path / "away")
    result = rollout("canary", "3", "--without-gates")
    assert result.code == 1
    assert "version 3 is not listed" in result.text
    assert served_version(server, label="stable") == 2
    (tmp_path / "away").rename(other)
    deployed.policy.write_text(QUICK)
    assert rollout("publish", quick_version).code == 0
    assert rollout("canary", "4", "--without-gates").code == 0
