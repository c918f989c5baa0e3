"""Every verb of the rollout tool on real servers: what it does, what it says, its exit code."""

from __future__ import annotations

import json
import socket

import pytest
import seq2sum
from google.protobuf import text_format
from seq2sum_serving.configuration.ssl_pb2 import SSLConfig
from support import broken_models
from support.certificates import Certificates
from support.deployed import POLLING, QUICK, Deployed, Traffic, answering, states


@pytest.fixture(scope="module")
def settled(quick_version, tmp_path_factory):
    """Version 2 is stable, 1 is `previous`, 3 is on disk. Tests leave it so."""
    with Deployed(tmp_path_factory.mktemp("settled"), quick_version) as deployed:
        for _ in range(2):
            deployed.start(POLLING)
        assert deployed.roll("publish", quick_version).code == 0
        assert deployed.roll("promote", "2", "--without-gates").code == 0
        assert deployed.roll("publish", quick_version).code == 0
        yield deployed


def row(told, version):
    """The cells of a version in the table of `status`."""
    [found] = [line.split() for line in told.out.splitlines() if line.split()[:1] == [str(version)]]
    return found[1:]


def test_a_version_goes_all_the_way_and_each_verb_tells(quick_version, tmp_path):
    with Deployed(tmp_path, quick_version) as deployed:
        for _ in range(2):
            deployed.start(POLLING)

        told = deployed.roll("status")
        assert told.code == 1  # nothing is wrong with the replicas; but it is not taken over yet
        assert "no version is stable in the model config file" in told.words

        told = deployed.roll("promote", "1", "--why", "the first one")
        assert (told.code, told.out) == (0, "version 1 is stable\n")
        told = deployed.roll("publish", quick_version, "--why", "the second export")
        assert told.code == 0
        assert f"published version 2: {deployed.base / '2'}" in told.out.replace("\n", "")
        told = deployed.roll("status")
        assert (told.code, told.errors) == (0, "")
        assert row(told, 1) == ["stable", "yes", "yes", "AVAILABLE", "AVAILABLE"]
        assert row(told, 2)[:2] == ["yes", "—"]
        assert "drift none" in told.words

        with Traffic(deployed) as callers:
            told = deployed.roll("canary", "2", "--percent", "20")
            assert told.code == 0
            assert "version 2 is on trial with 20 % of the traffic" in told.words
            for gate in ("contract", "signatures", "golden", "disagreement", "latency"):
                assert f"passed {gate}: " in told.words
            assert json.loads(deployed.traffic.read_text()) == {"stable": 80, "canary": 20}
            assert row(deployed.roll("status"), 2)[:3] == ["canary", "yes", "yes"]

            told = deployed.roll("promote", "2")
            assert (told.code, told.out) == (0, "version 2 is stable\n")
            assert row(deployed.roll("status"), 1)[0] == "previous"

            told = deployed.roll("rollback", "--json", "--why", "second thoughts")
            assert (told.code, told.json["stable"], told.json["left"]) == (0, 1, 2)
            assert told.json["seconds"] < 10  # under load; 0.2 s on a quiet machine
            for server in deployed.servers:
                assert answering(server, label="stable") == 1

            told = deployed.roll("retire", "2")
            assert told.code == 0
            assert "version 2 is unloaded everywhere; its folder stays" in told.words
            assert [states(server)[2] for server in deployed.servers] == ["END", "END"]

            told = deployed.roll("run", quick_version, "--why", "the third one")
            assert told.code == 0, told.words
            assert "version 3 is stable; `rollback` goes back without a load" in told.words
            for percent in (10, 50):
                assert f"version 3: {percent} % of the traffic" in told.words
            assert set(callers.seen()) == {1, 2, 3}
        status = deployed.status()
        assert [status[label] for label in ("stable", "canary", "previous")] == [3, None, 1]
        assert (status["weights"], status["drift"]) == ({"stable": 100}, [])

        told = deployed.roll("history", "--last", "100")
        assert told.code == 0
        for words in ("published", "promoted", "rolled back", "retired", "run ended"):
            assert words in told.words
        for why in ("the first one", "the second export", "second thoughts", "the third one"):
            assert why in told.words
        events = deployed.roll("history", "--json", "--last", "2").json["events"]
        assert [event["kind"] for event in events][-1] == "run ended"
        assert len(events) == 2

        told = deployed.roll("watch", "--count", "2", "--every", "0.1")
        assert told.code == 0
        assert told.out.count("none is under way") == 2
        assert told.out.count(f"{deployed.servers[0].target}: 3") == 2  # who answers the probe


def test_a_model_of_any_kind_is_promoted_and_rolled_back(quick_version, tmp_path):
    other = broken_models.other_model(quick_version, tmp_path / "other")
    with Deployed(tmp_path / "deployed", other) as deployed:
        server = deployed.start(POLLING)
        with seq2sum.Client(server.target) as client, pytest.raises(seq2sum.InvalidRequest):
            client.add("1+1")
        for line in ("promote 1", f"publish {other}", "promote 2 --without-gates", "rollback"):
            told = deployed.roll(*line.split())
            assert told.code == 0, told.words
        assert deployed.status()["labels"]["replicas"][server.target]["stable"] == 1
        told = deployed.roll("watch", "--count", "1")
        assert f"{server.target}: 1" in told.out


VERBS = {
    "publish DIR": "copy ",
    "canary 3": "wait until version 3 is AVAILABLE on every replica",
    "promote 3": "canary = 3, previous = 2, stable = 3",
    "rollback": "canary = 1, stable = 1",
    "retire 1": "models.config: versions 2; labels canary = 2, stable = 2",
    "repair": "nothing to do: it is so already",
    "run 3": "label stable = 3, previous = 2 on every replica",
    "run DIR": "publish ",
}


@pytest.mark.parametrize(("line", "step"), VERBS.items(), ids=VERBS)
def test_a_dry_run_tells_the_plan_and_touches_nothing(settled, quick_version, line, step):
    before, verb = settled.bytes(), line.replace("DIR", str(quick_version)).split()
    told = settled.roll(*verb, "--dry-run")
    assert told.code == 0
    assert step in told.words
    plan = settled.roll(*verb, "--dry-run", "--json").json["plan"]
    assert all(" ".join(sentence.split()) in told.words for sentence in plan)
    assert settled.bytes() == before


MISTAKES = {
    "no verb": ("go", "invalid choice: 'go'"),
    "no version": ("canary latest", "'latest' is no version"),
    "no share": ("canary 3 --percent 101", "invalid number '101': expected a number from 0 to 100"),
    "no address": ("status --targets localhost", "invalid target 'localhost': expected host:port"),
    "no file of record": (
        "status --config nowhere/models.config",
        "cannot find the model config file",
    ),
    "no policy": ("run 3 --policy nowhere.toml", "nowhere.toml"),
    "no base path": ("status --base-path nowhere", "cannot read the base path nowhere"),
    "no version folder": ("publish nowhere", "nowhere is not a version folder"),
    "no model": ("status --model sums", "it has no model 'sums'"),
    "no key": ("status --cert certificate.pem", "give both --cert and --key"),
    "no certificate": ("status --ca nowhere.pem", "cannot read nowhere.pem"),
}


@pytest.mark.parametrize(("line", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_of_the_operator_is_told_and_ends_with_2(settled, line, words):
    before = settled.bytes()
    told = settled.roll(*line.split())
    assert told.code == 2
    assert words in told.words
    assert settled.bytes() == before


REFUSALS = {
    "retire 2": "version 2 is stable: promote another one first",
    "canary 2": "version 2 is stable already: there is nothing to try",
    "canary 9": "version 9 is not on disk (there: 1, 2, 3). Put it there whole with `publish DIR`",
    "publish DIR --version 3": "versions are never overwritten; the next free one is 4",
}


@pytest.mark.parametrize(("line", "words"), REFUSALS.items(), ids=REFUSALS)
def test_what_is_not_safe_is_refused_with_1(settled, quick_version, line, words):
    before = settled.bytes()
    told = settled.roll(*line.replace("DIR", str(quick_version)).split())
    assert told.code == 1
    assert words in told.words
    assert settled.bytes() == before


def test_a_run_that_saw_too_little_ends_with_3_and_a_person_decides(quick_version, tmp_path):
    with Deployed(tmp_path, quick_version) as deployed:
        deployed.start(POLLING)
        deployed.policy.write_text(QUICK.replace("min_calls = 5", "min_calls = 10_000"))
        told = deployed.roll("run", quick_version, "--json")
        assert told.code == 3
        assert "live.min_calls is 10,000" in told.json["error"]
        for advice in ("`run 2` judges it again", "`promote 2`", "`rollback` ends it"):
            assert advice in told.json["error"]
        status = deployed.status()
        assert (status["stable"], status["canary"]) == (1, 2)
        assert status["weights"] == {"stable": 90, "canary": 10}
        told = deployed.roll("promote", "2")
        assert told.code == 0, told.words
        assert deployed.status()["weights"] == {"stable": 100}


@pytest.fixture
def only_ipv4(monkeypatch):
    """Makes localhost one address, which is not so on every machine."""
    resolve = socket.getaddrinfo

    def resolved(*asked, **how):
        return resolve(*asked, **{**how, "family": socket.AF_INET})

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


@pytest.mark.usefixtures("only_ipv4")
def test_replicas_behind_a_name_are_reached_with_a_certificate_only(quick_version, tmp_path):
    made = Certificates(tmp_path)
    issued = made.authorities["ours"].issue_cert("seq2sum.example.org")
    ssl = SSLConfig(
        server_key=issued.private_key_pem.bytes().decode(),
        server_cert=b"".join(blob.bytes() for blob in issued.cert_chain_pems).decode(),
        custom_ca=made.ca.read_text(),
        client_verify=True,
    )
    file = made.file("ssl.txt", text_format.MessageToString(ssl))
    with Deployed(tmp_path / "deployed", quick_version) as deployed:
        server = deployed.start(POLLING, f"--ssl_config_file={file}")
        by_name = f"dns:///localhost:{server.port}"
        ours = made.of_client()
        vouched = ["--ca", made.ca, "--server-name", "seq2sum.example.org"]
        shown = [*vouched, "--cert", ours["certificate"], "--key", ours["key"]]

        told = deployed.roll("promote", "1", *shown, targets=by_name)
        assert told.code == 0, told.words
        assert "did not take it" not in told.words  # the reload goes by the same way
        told = deployed.roll("run", quick_version, *shown, targets=by_name)
        assert told.code == 0, told.words
        told = deployed.roll("status", "--json", *shown, targets=by_name)
        assert told.code == 0
        assert told.json["labels"]["replicas"] == {
            server.target: {"stable": 2, "canary": 2, "previous": 1}
        }
        for refused in (vouched, ["--ca", made.other_ca, *shown[2:]], []):
            told = deployed.roll("status", *refused, targets=by_name)
            assert told.code == 1
            assert f"{server.target} does not answer" in told.words
