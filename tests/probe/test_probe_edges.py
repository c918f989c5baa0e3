"""The prober beside servers that are slow, hidden behind a name, or show certificates."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from datetime import UTC, datetime

import grpc
import pytest
from seq2sum.testing import FakeServer
from seq2sum_serving.probe import cli, options
from seq2sum_serving.probe.findings import problems
from seq2sum_serving.probe.metrics import families
from support import servers
from support.certificates import EXPIRED, Certificates
from support.deployed import CommandResult, until

LABELS = {"stable": 2, "canary": 2}
RECORD = """model_config_list {{
  config {{
    name: "seq2sum"
    base_path: "{base}"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 2 }} }}
    version_labels {{ key: "stable" value: 2 }}
    version_labels {{ key: "canary" value: 2 }}
  }}
}}
"""


@pytest.fixture
def config(tmp_path):
    """A file of record; the versions' folders are somewhere else."""
    path = tmp_path / "models.config"
    path.write_text(RECORD.format(base=tmp_path / "elsewhere"))
    return path


@pytest.fixture
def once(config):
    """Looks once, in this process."""

    def look(*arguments):
        out, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            code = cli.main(["--once", "--config", str(config), *map(str, arguments)])
        return CommandResult(code, out.getvalue(), errors.getvalue())

    return look


@contextlib.contextmanager
def looking(*arguments):
    """What looks, for several rounds."""
    with cli.prepared(options.parsed([*map(str, arguments)])) as lookout:
        yield lookout


def fake(**how):
    return FakeServer(**{"versions": [2], "labels": LABELS} | how)


def resolving(monkeypatch, *addresses):
    """Makes every name stand for these addresses; gives them as a list that may be changed."""
    there = list(addresses)

    def resolved(_, port, **__):
        if not there:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in there]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    return there


def test_without_the_versions_folders_sums_of_one_digit_are_asked(once):
    with fake(digits=1) as server:
        told = once("--targets", server.target, "--json")
        asked = {question for call in server.calls for question in call.questions}
    assert told.code == 0
    assert asked == {b"9+9", b"9+8", b"9+7"}
    assert told.json["sources"]["versions"].startswith("cannot read the base path")
    [note] = told.json["notes"]
    assert told.errors == f"seq2sum-probe: note: {note}\n"


def test_who_hangs_costs_the_others_no_more_than_the_timeout(once):
    over = threading.Event()
    with fake() as quick, fake() as slow:
        slow.before_reply = lambda _: over.wait(60)
        began = time.monotonic()
        told = once("--targets", f"{slow.target},{quick.target}", "--json", "--timeout", "0.5")
        seconds = time.monotonic() - began
        over.set()
    hanging, answering = told.json["replicas"]
    assert answering["golden"]["stable"] | {"seconds": 0} == {
        "asked": 3,
        "wrong": 0,
        "failed": [],
        "seconds": 0,
    }
    assert (hanging["up"], hanging["golden"]["stable"]["failed"]) == (False, ["DEADLINE_EXCEEDED"])
    assert told.code == 1
    assert seconds < 30  # it would have hung for 60


def test_a_slow_replica_has_the_timeout_for_a_whole_round(once):
    with fake(delay=0.2) as slow:
        told = once("--targets", slow.target, "--json", "--timeout", "0.5", "--questions", "50")
    [replica] = told.json["replicas"]
    golden = replica["golden"]["stable"]
    assert golden["failed"] == ["DEADLINE_EXCEEDED"]
    assert golden["asked"] <= 2  # the call that ran out of time is no answer
    assert told.json["seconds"] < 5  # 50 answers take 10


def test_an_error_of_the_server_is_told_by_its_name(once):
    with fake() as server:
        server.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more threads", times=100)
        told = once("--targets", server.target, "--labels", "stable")
    assert told.code == 1
    assert "RESOURCE_EXHAUSTED" in told.out
    assert "RESOURCE_EXHAUSTED no more threads" in told.errors


def test_wrong_answers_are_shown_with_an_example(once):
    with fake(answer=lambda _, a, b: str(a + b + (a == 9 and b == 8))) as server:
        told = once("--targets", server.target, "--labels", "stable")
    assert told.code == 1
    assert "2 of 3" in told.out
    assert told.errors.splitlines()[-1] == (
        f"seq2sum-probe: {server.target} answers 1 of 3 golden questions by label stable wrongly: "
        "9+8 = 18, not 17"
    )


def test_a_label_that_the_record_lacks_is_not_asked_by(once, config):
    config.write_text(config.read_text().replace('"canary"', '"trial"'))
    with fake(labels={"stable": 2, "trial": 2}) as server:
        told = once("--targets", server.target)
        assert {call.label for call in server.calls if call.questions} == {"stable"}
    assert told.code == 1
    assert "label canary is not in the file of record" in told.errors
    with fake(labels={"stable": 2, "trial": 2}) as server:
        assert once("--targets", server.target, "--labels", "stable,trial").code == 0


def test_replicas_behind_a_name_come_and_go(config, monkeypatch):
    there = resolving(monkeypatch, "127.0.0.1", "127.0.0.2")

    def names(sight):
        return [replica.target for replica in sight.replicas if replica.up]

    port = servers.free_port()
    with (
        fake(port=port) as first,
        fake(port=port, host="127.0.0.2") as second,
        looking("--config", config, "--targets", f"dns:///seq2sum:{port}") as lookout,
    ):
        both = [first.target, second.target]
        assert names(lookout.look(0)) == both
        there.remove("127.0.0.2")
        assert names(lookout.look(1)) == [first.target]
        there.append("127.0.0.2")
        assert names(lookout.look(2)) == both
        there.clear()  # those that were there last are looked at on
        sight = lookout.look(3)
        assert names(sight) == both
        assert "does not resolve" in sight.sources["targets"]


def test_a_replica_that_comes_back_is_seen_at_once(config):
    with fake() as server, looking("--config", config, "--targets", server.target) as lookout:
        for number in range(2):
            [replica] = lookout.look(number).replicas
            assert replica.up
            server.stop()
            sight = lookout.look(number)
            assert [problem.about for problem in problems(sight) if not problem.note] == [
                server.target
            ]
            server.start()
            until(lambda: lookout.look(0).replicas[0].up)


def test_a_name_that_does_not_resolve_yet_is_a_problem_and_no_end(once, monkeypatch):
    resolving(monkeypatch)
    told = once("--targets", "dns:///seq2sum:8500", "--json")
    assert told.code == 1
    assert told.json["replicas"] == []
    [problem] = told.json["problems"]
    assert "dns:///seq2sum:8500 does not resolve" in problem


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def shown(certificates):
    """Options that show a certificate of ours."""
    ours = certificates.of_client()
    return "--ca", certificates.ca, "--cert", ours["certificate"], "--key", ours["key"]


def test_the_end_of_a_certificate_is_read_by_mtls(certificates, shown, config, once):
    end = datetime(2049, 6, 1, 12, 30, tzinfo=UTC)
    with fake(credentials=certificates.of_server(mutual=True, not_after=end)) as server:
        told = once("--targets", server.target, *shown, "--base-path", config.parent)
        assert told.code == 0
        assert told.out.count("2049-06-01") == 2
        with looking("--config", config, "--targets", server.target, *shown) as lookout:
            samples = [
                s for family in families(lookout.look(0), {}, model="sums") for s in family.samples
            ]
        told = once("--targets", server.target, *shown[:2], "--json")  # it has to be ours
        assert told.code == 1
        assert not told.json["replicas"][0]["up"]
    [found] = [s for s in samples if "certificate_not_after" in s.name]
    assert found.labels == {"model": "sums", "replica": server.target}
    assert found.value == end.timestamp()


def test_a_certificate_that_has_expired_is_told_as_what_it_is(certificates, shown, once):
    with fake(credentials=certificates.of_server(mutual=True, **EXPIRED)) as server:
        told = once("--targets", server.target, *shown)
    assert told.code == 1
    assert f"the certificate of {server.target} expired on 2021-01-01 at 00:00 UTC" in told.errors
    assert f"{server.target} does not answer: UNAVAILABLE" in told.errors


def test_a_name_may_be_expected_in_the_certificate(certificates, shown, once):
    with fake(credentials=certificates.of_server("seq2sum.example.org")) as server:
        assert once("--targets", server.target, *shown).code == 1
        named = once("--targets", server.target, *shown, "--server-name", "seq2sum.example.org")
    assert named.code == 0


def test_a_server_without_tls_shows_no_certificate(shown, once):
    with fake() as server:
        told = once("--targets", server.target, *shown)
    assert told.code == 1
    assert f"{server.target} shows no certificate: " in told.errors
