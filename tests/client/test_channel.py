"""Servers that are down or hang, silent connections, headers and message sizes."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import grpc
import pytest
import seq2sum
from seq2sum.testing import FakeServer
from support import servers
from support.dns_server import NameServer
from support.fake_processes import FakeProcess

QUICKLY = 30
"""Seconds; far less than the deadline of these calls, far more than they need."""
LONG = 120


def error_of(client, kind, **options):
    began = time.monotonic()
    with pytest.raises(kind) as caught:
        client.add("1+1", **options)
    assert time.monotonic() - began < QUICKLY
    return caught.value


def test_refused_connection_is_unavailable_before_the_deadline(make_client):
    target = f"127.0.0.1:{servers.free_port()}"
    error = error_of(make_client(target, timeout=LONG), seq2sum.Unavailable, version=7)
    for part in ("UNAVAILABLE", "Connection refused", target, "model seq2sum, version 7"):
        assert part in str(error)


def test_unknown_host_is_unavailable_before_the_deadline(make_client):
    with NameServer() as names:
        target = names.target(8500, name="nobody.test")
        error = error_of(make_client(target, timeout=LONG), seq2sum.Unavailable, label="canary")
    for part in ("nobody.test", target, "model seq2sum, label canary"):
        assert part in str(error)


@pytest.mark.parametrize("coalescing", [None, seq2sum.Coalescing()], ids=["alone", "coalesced"])
def test_server_killed_during_a_call_is_unavailable(make_client, start_process, coalescing):
    server = start_process(delay=LONG)
    client = make_client(server.target, timeout=LONG, coalescing=coalescing)
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(error_of, client, seq2sum.Unavailable, version=1)
        server.wait_for_call()
        server.kill()
        error = waiting.result()
    assert server.target in str(error)
    assert "model seq2sum, version 1" in str(error)


def test_hanging_version_does_not_affect_callers_of_another(make_client):
    release = threading.Event()

    def answer(version, a, b):
        if version == 2:
            release.wait(LONG)
        return str(a + b)

    with FakeServer(versions=[1, 2], answer=answer) as server, ThreadPoolExecutor(1) as caller:
        client = make_client(server.target, timeout=LONG)
        waiting = caller.submit(error_of, client, seq2sum.DeadlineExceeded, version=2, timeout=0.5)
        while not waiting.done():
            assert client.add("1+1", version=1).value == 2
        error = waiting.result()
        assert server.target in str(error)
        assert "model seq2sum, version 2" in str(error)
        release.set()


QUICK_KEEPALIVE = seq2sum.KeepAlive(time=0.5, timeout=0.5)

SETTINGS, ACKNOWLEDGED = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]), bytes([0, 0, 0, 4, 1, 0, 0, 0, 0])
"""HTTP/2 frames: a server's settings, and its acknowledgement of the client's settings."""


@contextmanager
def silent_peer():
    """A port that accepts a connection and then sends nothing.

    The operating system still acknowledges bytes, so TCP detects nothing. The peer falls
    silent before the first reply, because gRPC also pings after each reply, with the same timeout:
    on a busy machine, that ping could end the connection before the next call starts.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as thread:
        listening.settimeout(QUICKLY)

        def greet():
            connection, _ = listening.accept()
            connection.recv(1)  # the client has sent its settings
            connection.sendall(SETTINGS + ACKNOWLEDGED)
            return connection

        greeted = thread.submit(greet)
        yield "{}:{}".format(*listening.getsockname())
        with greeted.result():
            pass


def test_keepalive_detects_a_silent_peer(make_client):
    with silent_peer() as target:
        client = make_client(
            target, timeout=LONG, keepalive=QUICK_KEEPALIVE, retry=seq2sum.Retry(max_attempts=1)
        )
        assert "ping timeout" in str(error_of(client, seq2sum.Unavailable))


def test_calls_move_from_a_frozen_server_to_another(make_client, start_processes):
    first, second = start_processes(FakeProcess(1), FakeProcess(2))
    client = make_client([first.target, second.target], timeout=LONG, keepalive=QUICK_KEEPALIVE)
    while {client.add("1+1").version for _ in range(4)} != {1, 2}:
        pass
    first.freeze()
    began = time.monotonic()
    assert [client.add("1+1").version for _ in range(4)] == [2] * 4
    assert time.monotonic() - began < QUICKLY


def test_headers_are_sent_with_each_call(fake, make_client):
    turns = iter(range(10))
    fixed = make_client(fake.target, metadata=[("x-team", "sums"), ("x-raw-bin", b"\0\xff")])
    varying = make_client(fake.target, metadata=lambda: [("x-turn", str(next(turns)))])
    fixed.add("1+1", metadata=[("x-request", "7")])
    varying.add_many(["1+1"])
    varying.versions(metadata=[("x-request", "8")])
    varying.explain("1+1")
    sent = [
        {name: value for name, value in call.metadata if name.startswith("x-")}
        for call in fake.calls
    ]
    assert sent == [
        {"x-team": "sums", "x-raw-bin": b"\0\xff", "x-request": "7"},
        {"x-turn": "0"},
        {"x-turn": "1", "x-request": "8"},
        {"x-turn": "2"},
    ]


@contextmanager
def counting_relay(target):
    """A port that relays a connection to the target, and counts the bytes sent there."""
    host, port = target.split(":")
    counted = []
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(3) as threads:

        def relay_bytes(source, sink, count):
            with suppress(OSError):  # the other end may be closed
                while data := source.recv(1 << 16):
                    count(len(data))
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)

        def relay():
            inner, _ = listening.accept()
            with inner, socket.create_connection((host, int(port))) as outer:
                back = threads.submit(relay_bytes, outer, inner, lambda _: None)
                relay_bytes(inner, outer, counted.append)
                back.result()

        relaying = threads.submit(relay)
        yield "{}:{}".format(*listening.getsockname()), counted
        relaying.result()


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip])
def test_requests_are_compressed_on_request(fake, make_client, compression):
    with counting_relay(fake.target) as (target, counted):
        client = make_client(target, compression=compression)
        assert client.add("1+1" + " " * 300_000).value == 2
        client.close()
    if compression:
        assert sum(counted) < 10_000
    else:
        assert sum(counted) > 300_000


def test_messages_of_any_size_are_sent_and_received(make_client):
    large = 6 << 20  # gRPC's default limit is 4 MB
    with FakeServer(answer=lambda *_: "9" * large) as server:
        client = make_client(server.target, timeout=LONG)
        answer = client.add("1+1" + " " * large)
    assert len(server.calls[0].questions[0]) > large
    assert len(answer.text) == large
