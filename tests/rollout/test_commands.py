"""Every rollout command on real servers: effects, output and exit code."""

from __future__ import annotations

import json
import socket

import pytest
import seq2sum
from google.protobuf import text_format
from seq2sum_serving.configuration.ssl_pb2 import SSLConfig
from support import broken_models
from support.certificates import Certificates
from support.deployed import POLLING, QUICK, Deployed, served_version, states, until
from support.weighted_callers import Callers


@pytest.fixture(scope="module")
def settled(quick_version, tmp_path_factory):
    """Version 2 is stable, 1 is `previous`, 3 is on disk. Tests do not change this."""
    with Deployed(tmp_path_factory.mktemp("settled"), quick_version) as deployed:
        for _ in range(2):
            deployed.start(POLLING)
        assert deployed.rollout("publish", quick_version).code == 0
        assert deployed.rollout("promote", "2", "--without-gates").code == 0
        assert deployed.rollout("publish", quick_version).code == 0
        yield deployed


def row(result, version):
    """Returns the cells of a version in the table of `status`."""
    [cells] = [
        line.split() for line in result.out.splitlines() if line.split()[:1] == [str(version)]
    ]
    return cells[1:]


def test_commands_from_the_first_promotion_to_a_run(quick_version, tmp_path):
    with Deployed(tmp_path, quick_version) as deployed:
        for _ in range(2):
            deployed.start(POLLING)

        result = deployed.rollout("status")
        assert result.code == 1  # the model is not adopted yet
        assert "no version is stable in the model config file" in result.text

        result = deployed.rollout("promote", "1", "--reason", "the first one")
        assert (result.code, result.out) == (0, "version 1 is stable\n")
        result = deployed.rollout("publish", quick_version, "--reason", "the second export")
        assert result.code == 0
        assert f"published version 2: {deployed.base / '2'}" in result.out.replace("\n", "")
        result = deployed.rollout("status")
        assert (result.code, result.errors) == (0, "")
        assert row(result, 1) == ["stable", "yes", "yes", "AVAILABLE", "AVAILABLE"]
        assert row(result, 2)[:2] == ["yes", "—"]
        assert "drift none" in result.text

        with Callers(deployed) as callers:
            result = deployed.rollout("canary", "2", "--weight", "20")
            assert result.code == 0
            assert "version 2 is the canary with 20 % of the traffic" in result.text
            for gate in ("contract", "signatures", "golden", "disagreement", "latency"):
                assert f"Successful {gate}: " in result.text
            assert json.loads(deployed.traffic.read_text()) == {"stable": 80, "canary": 20}
            assert row(deployed.rollout("status"), 2)[:3] == ["canary", "yes", "yes"]

            result = deployed.rollout("promote", "2")
            assert (result.code, result.out) == (0, "version 2 is stable\n")
            assert row(deployed.rollout("status"), 1)[0] == "previous"

            result = deployed.rollout("rollback", "--json", "--reason", "second thoughts")
            assert (result.code, result.json["stable"], result.json["rolled_back"]) == (0, 1, 2)
            assert result.json["seconds"] < 10  # under load; 0.2 s on a quiet machine
            for server in deployed.servers:
                assert served_version(server, label="stable") == 1

            result = deployed.rollout("retire", "2")
            assert result.code == 0
            assert "version 2 is unloaded on every replica; its folder remains" in result.text
            for server in deployed.servers:  # it is UNLOADING at first
                until(lambda server=server: states(server)[2] == "END")

            result = deployed.rollout("run", quick_version, "--reason", "the third one")
            assert result.code == 0, result.text
            assert "version 3 is stable; `rollback` does not have to load a version" in result.text
            for weight in (10, 50):
                assert f"version 3: step at weight {weight} %" in result.text
            assert set(callers.take_answers()) == {1, 2, 3}
        status = deployed.status()
        assert [status[label] for label in ("stable", "canary", "previous")] == [3, None, 1]
        assert (status["weights"], status["drift"]) == ({"stable": 100}, [])

        result = deployed.rollout("history", "--last", "100")
        assert result.code == 0
        for words in ("published", "promoted", "rolled back", "retired", "run ended"):
            assert words in result.text
        for reason in ("the first one", "the second export", "second thoughts", "the third one"):
            assert reason in result.text
        events = deployed.rollout("history", "--json", "--last", "2").json["events"]
        assert [event["kind"] for event in events][-1] == "run ended"
        assert len(events) == 2

        result = deployed.rollout("watch", "--count", "2", "--interval", "0.1")
        assert result.code == 0
        assert result.out.count("none in progress") == 2
        assert result.out.count(f"{deployed.servers[0].target}: 3") == 2  # the result of the probe


def test_models_of_any_kind_can_be_promoted_and_rolled_back(quick_version, tmp_path):
    other = broken_models.other_model(quick_version, tmp_path / "other")
    with Deployed(tmp_path / "deployed", other) as deployed:
        server = deployed.start(POLLING)
        with seq2sum.Client(server.target) as client, pytest.raises(seq2sum.InvalidRequest):
            client.add("1+1")
        for line in ("promote 1", f"publish {other}", "promote 2 --without-gates", "rollback"):
            result = deployed.rollout(*line.split())
            assert result.code == 0, result.text
        assert deployed.status()["labels"]["replicas"][server.target]["stable"] == 1
        result = deployed.rollout("watch", "--count", "1")
        assert f"{server.target}: 1" in result.out


COMMANDS = {
    "publish DIR": "copy ",
    "canary 3": "wait until version 3 is AVAILABLE on every replica",
    "promote 3": "canary = 3, previous = 2, stable = 3",
    "rollback": "canary = 1, stable = 1",
    "retire 1": "write versions 2; labels canary = 2, stable = 2",
    "repair": "nothing to do",
    "run 3": "set labels stable = 3, previous = 2 on every replica",
    "run DIR": "publish ",
}


@pytest.mark.parametrize(("line", "step"), COMMANDS.items(), ids=COMMANDS)
def test_dry_run_shows_the_plan_and_changes_nothing(settled, quick_version, line, step):
    before, command = settled.bytes(), line.replace("DIR", str(quick_version)).split()
    result = settled.rollout(*command, "--dry-run")
    assert result.code == 0
    assert step in result.text
    plan = settled.rollout(*command, "--dry-run", "--json").json["plan"]
    assert all(" ".join(sentence.split()) in result.text for sentence in plan)
    assert settled.bytes() == before


def test_inconclusive_run_exits_with_3(quick_version, tmp_path):
    with Deployed(tmp_path, quick_version) as deployed:
        deployed.start(POLLING)
        deployed.policy.write_text(QUICK.replace("min_calls = 5", "min_calls = 10_000"))
        result = deployed.rollout("run", quick_version, "--json")
        assert result.code == 3
        assert "live.min_calls is 10,000" in result.json["error"]
        for advice in ("`run 2` judges it again", "`promote 2`", "`rollback` ends the run"):
            assert advice in result.json["error"]
        status = deployed.status()
        assert (status["stable"], status["canary"]) == (1, 2)
        assert status["weights"] == {"stable": 90, "canary": 10}
        result = deployed.rollout("promote", "2")
        assert result.code == 0, result.text
        assert deployed.status()["weights"] == {"stable": 100}


@pytest.fixture
def only_ipv4(monkeypatch):
    """Makes `localhost` resolve to one address on every machine."""
    resolve = socket.getaddrinfo

    def resolve_ipv4(*args, **options):
        return resolve(*args, **{**options, "family": socket.AF_INET})

    monkeypatch.setattr(socket, "getaddrinfo", resolve_ipv4)


@pytest.mark.usefixtures("only_ipv4")
def test_replicas_behind_a_name_require_a_certificate(quick_version, tmp_path):
    certificates = Certificates(tmp_path)
    issued = certificates.authorities["ours"].issue_cert("seq2sum.example.org")
    ssl = SSLConfig(
        server_key=issued.private_key_pem.bytes().decode(),
        server_cert=b"".join(blob.bytes() for blob in issued.cert_chain_pems).decode(),
        custom_ca=certificates.ca.read_text(),
        client_verify=True,
    )
    file = certificates.file("ssl.txt", text_format.MessageToString(ssl))
    with Deployed(tmp_path / "deployed", quick_version) as deployed:
        server = deployed.start(POLLING, f"--ssl_config_file={file}")
        by_name = f"dns:///localhost:{server.port}"
        client = certificates.of_client()
        server_only = ["--ca", certificates.ca, "--server-name", "seq2sum.example.org"]
        mutual = [*server_only, "--cert", client["certificate"], "--key", client["key"]]

        result = deployed.rollout("promote", "1", *mutual, targets=by_name)
        assert result.code == 0, result.text
        assert "refused the reload" not in result.text  # it uses the same certificate
        result = deployed.rollout("run", quick_version, *mutual, targets=by_name)
        assert result.code == 0, result.text
        result = deployed.rollout("status", "--json", *mutual, targets=by_name)
        assert result.code == 0
        assert result.json["labels"]["replicas"] == {
            server.target: {"stable": 2, "canary": 2, "previous": 1}
        }
        for refused in (server_only, ["--ca", certificates.other_ca, *mutual[2:]], []):
            result = deployed.rollout("status", *refused, targets=by_name)
            assert result.code == 1
            assert f"{server.target} does not answer" in result.text
