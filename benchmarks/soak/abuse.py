"""Actors that misbehave. Their own calls may fail, but the server must survive them."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Self

import grpc

from benchmarks.soak.context import Context, Stubs, blob_request, slow_request

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
EMPTY_SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
POST = b"POST /v1/models/steady:predict HTTP/1.1\r\nHost: x\r\n"
RESET = struct.pack("ii", 1, 0)
"""For SO_LINGER: closing sends RST instead of FIN."""
SLOW_STEPS = 400
"""Steps of the `slow` signature that take about a tenth of a second."""
MAX_HALF_OPEN = 20
"""Half-open connections at the same time."""


@contextlib.contextmanager
def connected(context: Context, port: str) -> Iterator[socket.socket]:
    """Opens a raw connection, and ignores its errors."""
    address = "127.0.0.1", context.subject.ports[port]
    with socket.create_connection(address, 10) as raw, contextlib.suppress(OSError):
        yield raw


def post(body: bytes) -> bytes:
    """Returns a POST request to predict."""
    return POST + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def cancel_calls(context: Context) -> None:
    """Cancels calls, and sends calls with deadlines that are too short."""
    chance = random.Random(1)
    with context.stubs() as server:
        while not context.over.wait(0.25):
            request = slow_request(SLOW_STEPS)
            if chance.random() < 0.5:
                call = server.prediction.Predict.future(request, 30)
                context.over.wait(chance.random() * 0.1)
                call.cancel()
            else:
                with contextlib.suppress(grpc.RpcError):
                    server.prediction.Predict(request, chance.random() * 0.1)
            context.counter.ok("abuse: cancelled or timed out")


def drop_connections(context: Context) -> None:
    """Resets gRPC connections (through a relay) and REST connections during a call."""
    chance = random.Random(2)
    body = json.dumps({"signature_name": "slow", "inputs": [SLOW_STEPS]}).encode()
    while not context.over.wait(1):
        with Relay(context.subject.ports["grpc"]) as relay, Stubs(relay.target) as server:
            requests = slow_request(SLOW_STEPS), blob_request(1 << 20)
            calls = [server.prediction.Predict.future(request, 30) for request in requests]
            context.over.wait(chance.random() * 0.1)
            relay.reset()
            for call in calls:
                call.cancel()
        with connected(context, "rest") as raw:
            raw.sendall(post(body))
            context.over.wait(chance.random() * 0.1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        context.counter.ok("abuse: connection reset during a call")


def send_garbage(context: Context) -> None:
    """Sends random bytes, some after a valid start."""
    chance = random.Random(3)
    starts = [b"", PREFACE, PREFACE + EMPTY_SETTINGS, POST.partition(b"Host")[0]]
    while not context.over.wait(0.5):
        for port in ("grpc", "rest"):
            noise = chance.randbytes(chance.choice([1, 100, 10_000, 300_000]))
            start = chance.choice(starts)
            with connected(context, port) as raw:
                raw.settimeout(1)
                raw.sendall(start + noise)
                if chance.random() < 0.5:
                    raw.recv(1000)
            context.counter.ok("abuse: garbage bytes")


def announce_gigabytes(context: Context) -> None:
    """Announces bodies of gigabytes and sends little of them."""
    head = POST + b"Content-Length: 2000000000\r\n\r\n"
    while not context.over.wait(2):
        with connected(context, "rest") as raw:
            raw.sendall(head + b"[" * 1_000_000)
            context.over.wait(0.5)
        context.counter.ok("abuse: gigabytes announced")


def hold_half_open(context: Context) -> None:
    """Keeps connections open with requests that never end."""
    starts = {
        "grpc": (b"", PREFACE[:10], PREFACE, PREFACE + EMPTY_SETTINGS + b"\x00\x40"),
        "rest": (b"", b"GET /v1/mod", POST + b"Content-Le"),
    }
    chance, held = random.Random(4), []
    while not context.over.wait(0.5):
        port = chance.choice(["grpc", "rest"])
        with contextlib.suppress(OSError):
            raw = socket.create_connection(("127.0.0.1", context.subject.ports[port]), 10)
            raw.sendall(chance.choice(starts[port]))
            held.append(raw)
            context.counter.ok("abuse: held half open")
        for old in held[:-MAX_HALF_OPEN]:
            old.close()
        del held[:-MAX_HALF_OPEN]
    for raw in held:
        raw.close()


def read_slowly(context: Context) -> None:
    """Reads a reply of megabytes a little at a time."""
    body = json.dumps({"signature_name": "blob", "inputs": ["x" * 4_000_000]}).encode()
    while not context.over.wait(1):
        with connected(context, "rest") as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.sendall(post(body))
            for _ in range(50):
                if context.over.wait(0.1) or not raw.recv(2000):
                    break
        context.counter.ok("abuse: read slowly")


class Relay:
    """Relays connections to a port, and can reset all of them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def target(self) -> str:
        """The address to connect to."""
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.reset()
        for thread in self._threads:
            thread.join()

    def reset(self) -> None:
        """Resets both sides of all connections, and accepts no more."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for end in list(self._ends):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RD)  # wakes its reader, and sends no FIN
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._port), 10)
                self._ends += near, far
                for source, sink in ((near, far), (far, near)):
                    self._threads.append(threading.Thread(target=_pump, args=(source, sink)))
                    self._threads[-1].start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := source.recv(65536):
            sink.sendall(data)


ACTORS = (
    cancel_calls, drop_connections, send_garbage, announce_gigabytes, hold_half_open, read_slowly,
)  # fmt: skip
