"""Status codes, waiting for versions, splits, shadows, deadlines and invalid configuration."""

from __future__ import annotations

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
def test_each_status_code_raises_its_error(kind, server, code, error):
    with kind(server.target, retry=seq2sum.Retry(max_attempts=1)) as client:
        for method in (client.add, client.explain):
            server.fail(code, "because")
            with pytest.raises(error) as caught:
                method("1+1")
            assert type(caught.value) is error
            assert isinstance(caught.value.__cause__, grpc.RpcError)
            for part in ("because", code.name, server.target, "model seq2sum, latest version"):
                assert part in str(caught.value)
        server.fail(code, "because")
        if error is seq2sum.Overloaded:  # bulk methods retry
            assert client.add_many(["1+1"])[0].value == 2
        else:
            with pytest.raises(error, match="because"):
                client.add_many(["1+1"])
        assert client.add("1+1").value == 2


def test_wait_until_available_returns_the_serving_version(kind, server):
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
    """A server that does not reply to a Predict without rows.

    With batching, tensorflow_model_server 2.20.0 replies only when other calls join the open batch
    (recorded case batching/empty-batch-alone).
    """
    over = threading.Event()
    server.before_reply = lambda call: (
        call.method == "Predict" and not call.questions and over.wait(60)
    )
    yield server
    over.set()


@pytest.mark.parametrize("options", [{}, {"version": 1}, {"label": "stable"}], ids=str)
def test_wait_until_available_sends_no_predict(kind, batching, options):
    with kind(batching.target) as client:
        assert client.wait_until_available(timeout=5, **options).version == (1 if options else 3)
    assert {call.method for call in batching.calls} <= {"GetModelStatus", "GetModelMetadata"}


def test_no_method_sends_a_predict_without_rows(kind, batching):
    with kind(batching.target, coalescing=seq2sum.Coalescing()) as client:
        assert client.add_many([]) == list(client.add_stream([])) == []
        assert len(client.add_columns([])) == len(list(client.stream_columns([]))) == 0
        assert client.add_many(iter(["1+1", "x"]))[0].value == 2
        assert [answer.value for answer in client.add_stream(["1+1"] * 3, batch_size=2)] == [2] * 3
        assert client.add_columns(["1+1"] * 4097).values == [2] * 4097
        client.add("1+1")
        client.explain("1+1")
        client.describe(label="stable")
    predicts = [call for call in batching.calls if call.method == "Predict"]
    assert predicts
    assert all(call.questions for call in predicts)


def test_wait_until_available_accepts_a_label_of_another_kind_of_model(kind, monkeypatch):
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


def test_wait_until_available_waits_for_the_server_to_start(kind):
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
    ("options", "named"),
    [({"version": 7}, "version 7"), ({"label": "nope"}, "Unrecognized servable version label")],
)
def test_wait_until_available_reports_the_last_status(kind, server, options, named):
    with (
        kind(server.target) as client,
        pytest.raises(seq2sum.DeadlineExceeded, match="last status") as caught,
    ):
        client.wait_until_available(timeout=0.3, **options)
    assert named in str(caught.value)


def test_split_sends_each_key_to_its_variant(kind, server):
    split = seq2sum.Split({"stable": 50, 3: 50})
    with kind(server.target, split=split) as client:
        for key in ("ann", "bob", "cyd", "dan"):
            expected = {"stable": 1, 3: 3}[split.choose(key)]
            assert {client.add("1+1", key=key).version for _ in range(3)} == {expected}
            assert {answer.version for answer in client.add_many(["1+1"] * 5, key=key)} == {
                expected
            }
        assert client.add("1+1", version=0, key="ann").version == 0
        assert {client.add("1+1").version for _ in range(60)} == {1, 3}


def test_shadow_calls_do_not_affect_callers(kind, server):
    results, reported = [], threading.Semaphore(0)

    def on_result(primary, outcome):
        results.append((primary, outcome))
        reported.release()
        raise LookupError("does not reach the callers")

    with kind(server.target, shadow=seq2sum.Shadow(on_result, label="stable")) as client:
        assert client.add("2+2").version == 3
        assert reported.acquire(timeout=10)
        [(primary, outcome)] = results
        assert (primary.values, list(primary.versions)) == ([4], [3])
        assert (outcome.values, list(outcome.versions)) == ([4], [1])
        del server.labels["stable"]
        assert client.add_many(["2+2", "x"])[0].value == 4
        assert reported.acquire(timeout=10)
        assert isinstance(results[1][1], seq2sum.VersionNotFound)


def test_calls_beyond_the_shadows_max_in_flight_are_not_copied(kind, server):
    results = []
    shadow = seq2sum.Shadow(lambda *both: results.append(both), version=0, max_in_flight=1)
    gate = threading.Event()
    server.before_reply = lambda call: call.version == 0 and gate.wait(20)
    with kind(server.target, shadow=shadow) as client:
        assert [client.add("1+1").value for _ in range(5)] == [2] * 5
        gate.set()
    assert sum(call.version == 0 for call in server.calls) <= 1
    assert len(results) <= 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"label": "a", "version": 1},
        {"label": "a", "fraction": 2},
        {"label": "a", "max_in_flight": 0},
    ],
)
def test_invalid_shadow_is_refused(options):
    with pytest.raises(ValueError, match=r"shadow|fraction|max_in_flight"):
        seq2sum.Shadow(print, **options)


def test_server_receives_the_deadline(kind, server):
    with kind(server.target) as client:
        client.add("1+1", timeout=5)
        client.add("1+1")
        client.add("1+1", timeout=None)
        client.add_many(["1+1"], timeout=7)
    five, ten, none, seven = (call.time_remaining for call in server.calls)
    assert 3 < five <= 5.1
    assert 8 < ten <= 10.1
    assert none is None or none > 10**6
    assert 5 < seven <= 7.1


@pytest.mark.parametrize(
    "options",
    [{"max_in_flight": 0}, {"timeout": -1}, {"token": "secret"}, {"model": 7},
     {"target": []}, {"target": ["name:1", "other:2"]}],
)  # fmt: skip
def test_invalid_configuration_is_refused(kind, options):
    with pytest.raises((ValueError, TypeError)):
        kind(**{"target": "localhost:1", **options})
