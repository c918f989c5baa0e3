"""Splits between targets: a second channel of the same client, for every kind of call."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import seq2sum
from seq2sum import TensorSpec
from seq2sum._split import parse_variant
from seq2sum.testing import FakeServer, FakeSignature
from support.both_clients import MODEL_KINDS
from support.certificates import Certificates
from support.grpc_forks import forks_with_a_server

KEYS = [f"user-{number}" for number in range(12)]
NOWHERE = "127.0.0.1:1"
"""The client's own target, which no call of a split between targets uses."""


@pytest.fixture
def servers():
    """Two servers by target; the second adds 1,000 to every answer."""
    with (
        FakeServer(labels={"old": 1}) as first,
        FakeServer(versions=(1, 2), answer=lambda _, a, b: str(a + b + 1000)) as second,
    ):
        yield {first.target: first, second.target: second}


@pytest.fixture
def split(servers):
    return seq2sum.Split(dict.fromkeys(servers, 50))


def expected(servers, split, key, total):
    return total + 1000 * list(servers).index(split.choose(key))


@pytest.mark.parametrize("coalescing", [None, seq2sum.Coalescing()], ids=["alone", "coalesced"])
def test_each_call_goes_to_the_target_of_its_key(make_client, servers, split, coalescing):
    client = make_client(NOWHERE, split=split, coalescing=coalescing)
    keys = [f"user-{number}" for number in range(1000)]
    for key in [next(key for key in keys if split.choose(key) == target) for target in servers]:
        total = expected(servers, split, key, 4)
        assert client.add("2+2", key=key).value == total
        assert client.add_columns(["2+2"] * 5000, key=key).values == [total] * 5000
        assert [each.value for each in client.add_stream(["2+2"] * 3, key=key)] == [total] * 3
        assert client.describe(key=key).version == 1 + list(servers).index(split.choose(key))
        assert client.explain("2+2", key=key).version == client.describe(key=key).version


def test_coalescing_never_merges_calls_of_different_targets(make_client, servers, split):
    client = make_client(NOWHERE, split=split, coalescing=seq2sum.Coalescing())
    for server in servers.values():
        server.delay = 0.05  # so that calls gather
    keys = KEYS * 4
    with ThreadPoolExecutor(len(keys)) as callers:
        answers = callers.map(lambda key: client.add("2+2", key=key).value, keys)
        assert list(answers) == [expected(servers, split, key, 4) for key in keys]
    calls = [call for server in servers.values() for call in server.calls]
    assert sum(len(call.questions) for call in calls) == len(keys) > len(calls)


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_signatures_are_known_by_target(kind):
    texts, numbers = TensorSpec("DT_STRING", (-1,)), TensorSpec("DT_INT64", (-1,))

    def echo(spec):
        return FakeSignature(lambda inputs: inputs["x"], {"x": spec}, {"y": spec})

    with (
        FakeServer(model="any", signatures={"serving_default": echo(texts)}) as first,
        FakeServer(model="any", signatures={"serving_default": echo(numbers)}) as second,
    ):
        split = seq2sum.Split({first.target: 1, second.target: 1})
        inputs = {first.target: ["a"], second.target: [1]}
        with MODEL_KINDS[kind](NOWHERE, model="any", split=split) as client:
            for key in KEYS * 2:
                sent = inputs[split.choose(key)]
                assert client.predict(sent, key=key).tensor.dtype == (
                    "DT_STRING" if sent == ["a"] else "DT_INT64"
                )
                [streamed] = client.predict_stream([sent], key=key)
                assert len(streamed["y"]) == 1
            bad = next(key for key in KEYS if split.choose(key) == second.target)
            with pytest.raises(seq2sum.InvalidInput, match=f"from {second.target}, model any"):
                client.predict(["a"], key=bad)
        fetched = [
            sum(call.method == "GetModelMetadata" for call in server.calls)
            for server in (first, second)
        ]
        assert fetched == [1, 2]  # again for the input that does not fit


def test_shadow_calls_go_to_the_target_of_their_call(make_client, split):
    results, reported = [], threading.Semaphore(0)

    def on_result(*both):
        results.append([list(each.values) for each in both])
        reported.release()

    client = make_client(NOWHERE, split=split, shadow=seq2sum.Shadow(on_result, version=1))
    for key in KEYS[:4]:
        value = client.add("2+2", key=key).value
        assert reported.acquire(timeout=10)
        assert results.pop() == [[value], [value]]


def test_calls_that_name_a_version_or_label_go_to_the_clients_target(make_client, servers):
    first, second = servers
    client = make_client(first, split=seq2sum.Split({second: 1}))
    assert client.add("2+2").value == 1004
    assert client.add("2+2", label="old").value == client.add("2+2", version=1).value == 4
    assert [status.version for status in client.versions()] == [1]
    assert client.wait_until_available().version == 1


def test_errors_name_the_target_of_the_split(make_client, servers, split):
    client = make_client(NOWHERE, split=split, retry=seq2sum.Retry(max_attempts=1))
    key = KEYS[0]
    chosen = split.choose(key)
    servers[chosen].fail(grpc.StatusCode.RESOURCE_EXHAUSTED)
    with pytest.raises(seq2sum.Overloaded) as caught:
        client.add("1+1", key=key)
    assert caught.value.target == chosen
    servers[chosen].stop()
    with pytest.raises(seq2sum.Unavailable) as caught:
        client.add("1+1", key=key)
    assert caught.value.target == chosen


def test_closing_closes_the_channels_of_the_split(make_client, servers, split):
    client = make_client(NOWHERE, split=split, timeout=60)
    for server in servers.values():
        server.delay = 60
    with ThreadPoolExecutor(2) as callers:
        keys = [next(key for key in KEYS if split.choose(key) == target) for target in servers]
        waiting = [callers.submit(client.add, "1+1", key=key) for key in keys]
        while not all(server.calls for server in servers.values()):
            pass
        client.close()
        for call in waiting:
            with pytest.raises(seq2sum.CallError, match="the client was closed"):
                call.result(30)
    with pytest.raises(RuntimeError, match="is closed"):
        client.add("1+1")


@pytest.mark.parametrize("coalescing", [None, seq2sum.Coalescing()], ids=["alone", "coalesced"])
def test_connections_to_targets_that_left_a_split_file_end(
    make_client, servers, tmp_path, coalescing
):
    def put(target):
        new = tmp_path / "new.json"
        new.write_text(json.dumps({target: 100}))
        new.replace(path)

    path = tmp_path / "traffic.json"
    first, second = servers
    put(first)
    split = seq2sum.SplitFile(path, poll_interval=0)
    client = make_client(NOWHERE, split=split, coalescing=coalescing)
    client.add("1+1")
    left = weakref.ref(client._connections[first])
    servers[first].delay = 0.5
    with ThreadPoolExecutor(1) as callers:
        in_flight = callers.submit(client.add, "1+1")
        while len(servers[first].calls) < 2:
            time.sleep(0.01)
        put(second)
        assert client.add("1+1").value == 1002
        assert list(client._connections) == [second]
        assert in_flight.result(30).value == 2
    del in_flight
    gc.collect()
    assert left() is None
    put(first)
    assert client.add("1+1").value == 2


def test_split_file_may_change_from_labels_to_targets(make_client, servers, tmp_path):
    path = tmp_path / "traffic.json"
    path.write_text('{"old": 100}')
    first, second = servers
    client = make_client(first, split=seq2sum.SplitFile(path, poll_interval=0))
    assert client.add("1+1").value == 2
    new = tmp_path / "new.json"
    new.write_text(json.dumps({second: 100, "old": 0}))
    new.replace(path)
    assert client.add("1+1").value == 1002
    assert client.split.weights == {second: 100, "old": 0}


def test_targets_use_the_clients_tls(make_client, tmp_path):
    certificates = Certificates(tmp_path)
    with FakeServer(credentials=certificates.of_server()) as server:
        split = seq2sum.Split({server.target: 1})
        tls = seq2sum.TLS(ca=certificates.ca)
        assert make_client(NOWHERE, split=split, tls=tls).add("1+1").value == 2


def test_several_addresses_of_a_side_and_tls_need_a_server_name(make_client, tmp_path):
    several = {"ipv4:127.0.0.1:1,127.0.0.2:1": 1}
    with pytest.raises(ValueError, match=r"several addresses and tls need TLS\.server_name"):
        make_client(split=seq2sum.Split(several), tls=seq2sum.TLS())
    path = tmp_path / "traffic.json"
    path.write_text('{"stable": 1}')
    client = make_client(tls=seq2sum.TLS(), split=seq2sum.SplitFile(path, poll_interval=0))
    path.write_text(json.dumps(several))
    with pytest.raises(ValueError, match=r"several addresses and tls need TLS\.server_name"):
        client.add("1+1")


@forks_with_a_server
def test_split_between_targets_works_in_a_forked_child(split):
    with seq2sum.Client(NOWHERE, split=split) as client:
        totals = [client.add("2+2", key=key).value for key in KEYS]
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            same = [client.add("2+2", key=key).value for key in KEYS] == totals
            os.write(writing, b"same" if same else b"other")
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(reading, 10) == b"same"
        assert [client.add("2+2", key=key).value for key in KEYS] == totals


@pytest.mark.parametrize(
    "name",
    ["candidate:8500", "[::1]:8500", "dns:///candidate:8500", "unix:/run/server.sock",
     "ipv4:10.0.0.5:8500,10.0.0.6:8500"],
)  # fmt: skip
def test_names_with_a_colon_are_targets(name):
    assert parse_variant(name) == name
    assert seq2sum.Split({name: 1, "stable": 0}).choose("user") == name


@pytest.mark.parametrize(
    "name", ["team:blue", "host:99999", "http://host:8500", ":8500", "a: b", "ipv4:host:1"]
)
def test_other_names_with_a_colon_are_refused(name, tmp_path):
    problem = "a name with a colon is a target, and not a label"
    with pytest.raises(ValueError, match=problem):
        seq2sum.Split({name: 1})
    path = tmp_path / "traffic.json"
    path.write_text(json.dumps({name: 1}))
    with pytest.raises(ValueError, match=problem):
        seq2sum.SplitFile(path)


def test_keys_keep_their_labels_and_versions():
    """These choices were made before splits had targets."""
    split = seq2sum.Split({"stable": 50, "canary": 30, 3: 20})
    assert [split.choose(key) for key in KEYS] == [
        "stable", 3, "canary", "stable", 3, "stable", "stable", "canary", "canary", "stable",
        "canary", "canary",
    ]  # fmt: skip
