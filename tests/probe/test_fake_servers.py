"""The probe with fake servers: slow, failing, wrong, or behind a host name."""

from __future__ import annotations

import socket
import threading
import time

import grpc
import pytest
from seq2sum_serving.probe.findings import findings
from support import servers
from support.deployed import until


@pytest.fixture
def resolve(monkeypatch):
    """Makes every host name resolve to the addresses in a list that tests may change."""

    def patch(*addresses):
        current = list(addresses)

        def getaddrinfo(_, port, **__):
            if not current:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in current]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return current

    return patch


def test_the_golden_requests_of_the_version_are_sent(once, fake):
    with fake() as server:
        result = once("--targets", server.target, "--json")
        questions = {question for call in server.calls for question in call.questions}
    assert (result.code, result.errors) == (0, "")
    assert questions == {b"9+9", b"9+8", b"9+7"}


def test_a_hanging_replica_delays_the_round_by_no_more_than_the_timeout(once, fake):
    over = threading.Event()
    with fake() as quick, fake() as slow:
        slow.before_reply = lambda _: over.wait(60)
        start = time.monotonic()
        result = once("--targets", f"{slow.target},{quick.target}", "--json", "--timeout", "0.5")
        seconds = time.monotonic() - start
        over.set()
    hanging, healthy = result.json["models"]["seq2sum"]["replicas"]
    golden = healthy["golden"]["stable"]
    assert golden.pop("seconds") > 0
    assert golden == {"answers": 3, "wrong_answers": 0, "failed": []}
    assert (hanging["up"], hanging["golden"]["stable"]["failed"]) == (False, ["DEADLINE_EXCEEDED"])
    assert result.code == 1
    assert seconds < 30  # the replica would have hung for 60


def test_the_timeout_of_a_label_covers_all_its_requests(once, fake):
    with fake(delay=0.15) as slow:
        result = once("--targets", slow.target, "--json", "--timeout", "0.5", "--requests", "4")
    [replica] = result.json["models"]["seq2sum"]["replicas"]
    golden = replica["golden"]["stable"]
    assert golden["failed"] == ["DEADLINE_EXCEEDED"]
    assert golden["answers"] <= 3  # the call that exceeded the deadline does not count
    assert result.json["seconds"] < 5


def test_error_from_a_server_is_reported_with_its_status_code(once, fake):
    with fake() as server:
        server.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more threads", times=100)
        result = once("--targets", server.target, "--labels", "stable")
    assert result.code == 1
    assert "RESOURCE_EXHAUSTED" in result.out
    assert "RESOURCE_EXHAUSTED no more threads" in result.errors


def test_wrong_answers_are_reported_with_an_example(once, fake):
    with fake(answer=lambda _, a, b: str(a + b + (a == 9 and b == 8))) as server:
        result = once("--targets", server.target, "--labels", "stable")
    assert result.code == 1
    assert "2 of 3" in result.out
    assert result.errors.splitlines()[-1] == (
        f"seq2sum-probe: {server.target}: 1 of 3 golden answers of label stable are wrong: "
        "for {\"questions\": [\"9+8\"]}, answers is '18' (expected '17')"
    )


def test_a_label_that_is_not_configured_gets_no_requests(once, fake, config):
    config.write_text(config.read_text().replace('"canary"', '"trial"'))
    labels = {"stable": 2, "trial": 2}
    with fake(labels=labels) as server:
        result = once("--targets", server.target)
        assert {call.label for call in server.calls if call.questions} == {"stable"}
    assert result.code == 1
    assert "label canary is not in the model config file" in result.errors
    with fake(labels=labels) as server:
        assert once("--targets", server.target, "--labels", "stable,trial").code == 0


def targets_up(observations):
    [observation] = observations.values()
    return [replica.target for replica in observation.replicas if replica.up]


def test_replicas_behind_a_host_name_are_added_and_removed(create_prober, fake, resolve):
    addresses = resolve("127.0.0.1", "127.0.0.2")
    port = servers.free_port()
    with fake(port=port) as first, fake(port=port, host="127.0.0.2") as second:
        prober = create_prober("--targets", f"dns:///seq2sum:{port}")
        both = [first.target, second.target]
        assert targets_up(prober.run_round(0)) == both
        addresses.remove("127.0.0.2")
        assert targets_up(prober.run_round(1)) == [first.target]
        addresses.append("127.0.0.2")
        assert targets_up(prober.run_round(2)) == both
        addresses.clear()  # the last known replicas are still probed
        observations = prober.run_round(3)
        assert targets_up(observations) == both
        assert "does not resolve" in observations["seq2sum"].input_errors["targets"]


def test_a_restarted_replica_is_up_again_at_once(create_prober, fake):
    with fake() as server:
        prober = create_prober("--targets", server.target)
        for number in range(2):
            assert targets_up(prober.run_round(number)) == [server.target]
            server.stop()
            found = findings(prober.run_round(number))
            assert [finding.key for finding in found if not finding.note] == [server.target]
            server.start()
            until(lambda: targets_up(prober.run_round(0)))


def test_host_name_that_does_not_resolve_is_reported(once, resolve):
    resolve()
    result = once("--targets", "dns:///seq2sum:8500", "--json")
    assert result.code == 1
    assert result.json["models"]["seq2sum"]["replicas"] == []
    [problem] = result.json["problems"]
    assert "dns:///seq2sum:8500 does not resolve" in problem
