"""Where calls go and how they end: statuses, waiting, splits, shadows, headers, deadlines."""

from __future__ import annotations

import gc
import threading

import grpc
import pytest
import seq2sum
from seq2sum.addition import fake_replies
from seq2sum.testing import FakeServer
from support.status_codes import BY_CODE


@pytest.fixture
def server():
    with FakeServer(versions=(0, 1, 3), labels={"stable": 1, "lost": 9}) as server:
        yield server


@pytest.mark.parametrize(("code", "error"), BY_CODE.items(), ids=lambda v: getattr(v, "name", ""))
def test_every_status_is_its_error(kind, server, code, error):
    with kind(server.target, retry=seq2sum.Retry(attempts=1)) as client:
        for method in (client.add, client.explain):
            server.fail(code, "because")
            with pytest.raises(error) as caught:
                method("1+1")
            assert type(caught.value) is error
            assert isinstance(caught.value.__cause__, grpc.RpcError)
            for part in ("because", code.name, server.target, "model seq2sum, latest version"):
                assert part in str(caught.value)
        server.fail(code, "because")
        if error is seq2sum.Overloaded:  # many questions wait for room
            assert client.add_many(["1+1"])[0].value == 2
        else:
            with pytest.raises(error, match="because"):
                client.add_many(["1+1"])
        assert client.add("1+1").value == 2


def test_waiting_ends_when_a_version_serves(kind, server):
    with kind(server.target) as client:
        assert client.wait_until_available(timeout=5).version == 3
        assert client.wait_until_available(version=1, timeout=5).version == 1
        assert client.wait_until_available(label="stable", timeout=5).version == 1
        later = threading.Timer(0.2, lambda: server.versions.append(9))
        later.start()
        assert client.wait_until_available(label="lost", timeout=10).version == 9
        later.join()


@pytest.fixture
def batching(server):
    """A server that never answers a Predict without rows.

    tensorflow_model_server 2.20.0 with batching does so until others join the open batch.
    """
    over = threading.Event()
    server.hold = lambda call: call.method == "Predict" and not call.questions and over.wait(60)
    yield server
    over.set()


@pytest.mark.parametrize("how", [{}, {"version": 1}, {"label": "stable"}], ids=str)
def test_waiting_needs_no_answer_to_a_request_without_rows(kind, batching, how):
    with kind(batching.target) as client:
        assert client.wait_until_available(timeout=5, **how).version == (1 if how else 3)
    assert {call.method for call in batching.calls} <= {"GetModelStatus", "GetModelMetadata"}


def test_no_method_sends_a_request_without_rows(kind, batching):
    with kind(batching.target, coalesce=seq2sum.Coalesce()) as client:
        assert client.add_many([]) == list(client.add_stream([])) == []
        assert len(client.add_columns([])) == len(list(client.stream_columns([]))) == 0
        assert client.add_many(iter(["1+1", "x"]))[0].value == 2
        assert [answer.value for answer in client.add_stream(["1+1"] * 3, rows=2)] == [2] * 3
        assert client.add_columns(["1+1"] * 4097).values == [2] * 4097
        client.add("1+1")
        client.explain("1+1")
        client.describe(label="stable")
    asked = [call for call in batching.calls if call.method == "Predict"]
    assert asked
    assert all(call.questions for call in asked)


def test_a_label_of_any_model_can_be_waited_for(kind, monkeypatch):
    described = fake_replies.metadata

    def other(model, version, digits):
        response = described(model, version, digits)
        response.metadata.clear()
        return response

    monkeypatch.setattr(fake_replies, "metadata", other)
    with (
        FakeServer(model="other", labels={"stable": 1}) as server,
        kind(server.target, model="other") as client,
    ):
        assert client.wait_until_available(label="stable", timeout=5).version == 1


def test_waiting_outlasts_a_server_that_is_not_there_yet(kind):
    server = FakeServer()
    with server:
        pass
    with kind(server.target) as client:
        later = threading.Timer(0.3, server.start)
        later.start()
        assert client.wait_until_available(timeout=20).version == 1
        later.join()
    server.stop()


@pytest.mark.parametrize(
    ("how", "said"),
    [({"version": 7}, "version 7"), ({"label": "nope"}, "Unrecognized servable version label")],
)
def test_waiting_in_vain_says_what_was_last_heard(kind, server, how, said):
    with (
        kind(server.target) as client,
        pytest.raises(seq2sum.DeadlineExceeded, match="last heard") as caught,
    ):
        client.wait_until_available(timeout=0.3, **how)
    assert said in str(caught.value)


def test_a_split_sends_keys_to_their_sides(kind, server):
    split = seq2sum.Split({"stable": 50, 3: 50})
    with kind(server.target, split=split) as client:
        for key in ("ann", "bob", "cyd", "dan"):
            wanted = {"stable": 1, 3: 3}[split.side(key)]
            assert {client.add("1+1", key=key).version for _ in range(3)} == {wanted}
            assert {answer.version for answer in client.add_many(["1+1"] * 5, key=key)} == {wanted}
        assert client.add("1+1", version=0, key="ann").version == 0
        assert {client.add("1+1").version for _ in range(60)} == {1, 3}


def test_a_shadow_is_asked_off_the_callers_path(kind, server):
    seen, both = [], threading.Semaphore(0)

    def tell(primary, outcome):
        seen.append((primary, outcome))
        both.release()
        raise LookupError("the callers of a client never feel this")

    with kind(server.target, shadow=seq2sum.Shadow(tell, label="stable")) as client:
        assert client.add("2+2").version == 3
        assert both.acquire(timeout=10)
        [(primary, outcome)] = seen
        assert (primary.values, list(primary.versions)) == ([4], [3])
        assert (outcome.values, list(outcome.versions)) == ([4], [1])
        del server.labels["stable"]
        assert client.add_many(["2+2", "x"])[0].value == 4
        assert both.acquire(timeout=10)
        assert isinstance(seen[1][1], seq2sum.VersionNotFound)


def test_a_slow_shadow_is_left_out_rather_than_queued(kind, server):
    seen = []
    shadow = seq2sum.Shadow(lambda *both: seen.append(both), version=0, in_flight=1)
    gate = threading.Event()
    server.hold = lambda call: call.version == 0 and gate.wait(20)
    with kind(server.target, shadow=shadow) as client:
        assert [client.add("1+1").value for _ in range(5)] == [2] * 5
        gate.set()
    assert sum(call.version == 0 for call in server.calls) <= 1
    assert len(seen) <= 1


@pytest.mark.parametrize(
    "how",
    [{}, {"label": "a", "version": 1}, {"label": "a", "share": 2}, {"label": "a", "in_flight": 0}],
)
def test_a_shadow_that_cannot_be_is_refused(how):
    with pytest.raises(ValueError, match=r"shadow|share|in_flight"):
        seq2sum.Shadow(print, **how)


def test_headers_of_the_client_and_of_the_call_arrive(kind, server):
    count = iter(range(10))
    with kind(server.target, metadata=lambda: [("x-number", str(next(count)))]) as client:
        client.add("1+1", metadata=[("x-own", "a")])
        client.add("1+1")
    first, second = (dict(call.metadata) for call in server.calls)
    assert (first["x-number"], first["x-own"]) == ("0", "a")
    assert second["x-number"] == "1"
    assert "x-own" not in second


def test_deadlines_arrive_at_the_server(kind, server):
    with kind(server.target) as client:
        client.add("1+1", timeout=5)
        client.add("1+1")
        client.add("1+1", timeout=None)
        client.add_many(["1+1"], timeout=7)
    five, ten, none, seven = (call.seconds for call in server.calls)
    assert 3 < five <= 5.1
    assert 8 < ten <= 10.1
    assert none is None or none > 10**6
    assert 5 < seven <= 7.1


@pytest.mark.parametrize(
    "how",
    [{"in_flight": 0}, {"timeout": -1}, {"token": "secret"}, {"model": 7},
     {"target": []}, {"target": ["name:1", "other:2"]}],
)  # fmt: skip
def test_configuration_that_cannot_be_is_refused_at_once(kind, how):
    with pytest.raises((ValueError, TypeError)):
        kind(**{"target": "localhost:1", **how})


def test_nothing_is_left_behind(kind, server):
    before = threading.active_count()
    for _ in range(3):
        with kind(server.target, coalesce=seq2sum.Coalesce()) as client:
            client.add("1+1")
            client.add_many(["1+1"] * 5000)
    gc.collect()
    assert threading.active_count() <= before + 4  # gRPC keeps a few of its own
