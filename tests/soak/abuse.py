"""Callers who misbehave. Nothing is asked of their own calls but that the server survives."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import struct
import threading
from collections.abc import Iterator

import grpc
import tensorflow as tf
from soak.world import Stubs, World, predict_request, stubs

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
EMPTY_SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
POST = b"POST /v1/models/steady:predict HTTP/1.1\r\nHost: x\r\n"
RESET = struct.pack("ii", 1, 0)
"""For SO_LINGER: closing drops the connection without a goodbye."""
SLOW_STEPS = 400
"""Of the `slow` signature: about a tenth of a second."""
HELD = 20
"""Connections that are half open at a time."""


@contextlib.contextmanager
def connected(world: World, which: str) -> Iterator[socket.socket]:
    """A raw connection; what the server does to it is no error here."""
    where = "127.0.0.1", world.subject.ports[which]
    with socket.create_connection(where, 10) as raw, contextlib.suppress(OSError):
        yield raw


def cancelling(world: World) -> None:
    """Calls given up by the client, and deadlines too short to be kept."""
    chance = random.Random(1)
    with stubs(world) as server:
        while not world.over.wait(0.25):
            request = slow_request()
            if chance.random() < 0.5:
                call = server.prediction.Predict.future(request, 30)
                world.over.wait(chance.random() * 0.1)
                call.cancel()
            else:
                with contextlib.suppress(grpc.RpcError):
                    server.prediction.Predict(request, chance.random() * 0.1)
            world.ledger.fine("abuse: cancelled or out of time")


def dropping(world: World) -> None:
    """Connections reset in the middle of a call, over gRPC through a relay and over REST."""
    chance = random.Random(2)
    body = json.dumps({"signature_name": "slow", "inputs": [SLOW_STEPS]}).encode()
    head = POST + f"Content-Length: {len(body)}\r\n\r\n".encode()
    while not world.over.wait(1):
        with Relay(world.subject.ports["grpc"]) as relay, Stubs(relay.target) as server:
            large = predict_request(
                "steady", [b"x" * (1 << 20)], tf.string, alias="blob", signature="blob"
            )
            calls = [server.prediction.Predict.future(r, 30) for r in (slow_request(), large)]
            world.over.wait(chance.random() * 0.1)
            relay.drop()
            for call in calls:
                call.cancel()
        with connected(world, "rest") as raw:
            raw.sendall(head + body)
            world.over.wait(chance.random() * 0.1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        world.ledger.fine("abuse: connection dropped in mid-call")


def garbage(world: World) -> None:
    """Bytes that are no protocol, or only begin as one."""
    chance = random.Random(3)
    while not world.over.wait(0.5):
        for which in ("grpc", "rest"):
            noise = chance.randbytes(chance.choice([1, 100, 10_000, 300_000]))
            start = chance.choice(
                [
                    b"",
                    PREFACE,
                    PREFACE + EMPTY_SETTINGS,
                    b"POST /v1/models/steady:predict HTTP/1.1\r\n",
                ]
            )
            with connected(world, which) as raw:
                raw.settimeout(1)
                raw.sendall(start + noise)
                if chance.random() < 0.5:
                    raw.recv(1000)
            world.ledger.fine("abuse: garbage bytes")


def announcing(world: World) -> None:
    """Messages announced as gigabytes, of which little ever comes."""
    head = (
        b"POST /v1/models/steady:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n\r\n"
    )
    while not world.over.wait(2):
        with connected(world, "rest") as raw:
            raw.sendall(head + b"[" * 1_000_000)
            world.over.wait(0.5)
        world.ledger.fine("abuse: gigabytes announced")


def holding(world: World) -> None:
    """Connections that stay half open, with a request that never ends."""
    starts = {
        "grpc": (b"", PREFACE[:10], PREFACE, PREFACE + EMPTY_SETTINGS + b"\x00\x40"),
        "rest": (b"", b"GET /v1/mod", POST + b"Content-Le"),
    }
    chance, held = random.Random(4), []
    while not world.over.wait(0.5):
        which = chance.choice(["grpc", "rest"])
        with contextlib.suppress(OSError):
            raw = socket.create_connection(("127.0.0.1", world.subject.ports[which]), 10)
            raw.sendall(chance.choice(starts[which]))
            held.append(raw)
            world.ledger.fine("abuse: held half open")
        for old in held[:-HELD]:
            old.close()
        del held[:-HELD]
    for raw in held:
        raw.close()


def reading_slowly(world: World) -> None:
    """A reply of megabytes that is read in sips."""
    body = json.dumps({"signature_name": "blob", "inputs": ["x" * 4_000_000]}).encode()
    head = POST + f"Content-Length: {len(body)}\r\n\r\n".encode()
    while not world.over.wait(1):
        with connected(world, "rest") as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.sendall(head + body)
            for _ in range(50):
                if world.over.wait(0.1) or not raw.recv(2000):
                    break
        world.ledger.fine("abuse: read slowly")


def slow_request() -> object:
    return predict_request("steady", [SLOW_STEPS], tf.int32, alias="steps", signature="slow")


class Relay:
    """A port before the server's that can be cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Relay:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()
        for thread in self._threads:
            thread.join()

    def drop(self) -> None:
        """Resets both sides, and takes no further connection."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for end in list(self._ends):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RD)  # wakes its reader, and says no goodbye
            end.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._port), 10)
                self._ends += near, far
                for source, target in ((near, far), (far, near)):
                    self._threads.append(threading.Thread(target=pump, args=(source, target)))
                    self._threads[-1].start()


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := source.recv(65536):
            target.sendall(data)


ACTORS = (cancelling, dropping, garbage, announcing, holding, reading_slowly)
