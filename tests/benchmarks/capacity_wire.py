"""What calls weigh: their messages, and all that goes over the wire for them.

Between client and server is a proxy that counts bytes, so that headers and HTTP/2's own frames
are in the figure too.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
from batching_loads import request
from loads import METHOD, questions
from seq2sum import contract

CALLS = 20
"""Of each size: headers are compressed with those of earlier calls."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, MAX_CONCURRENT_STREAMS = 4, 3
"""A frame's type and a setting's number, RFC 9113."""
UNLIMITED = 2**31 - 1
"""At least so many streams stand for no limit."""


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes of one call."""

    signature: str
    rows: int
    """Questions in it."""
    request: int
    reply: int
    wire_up: float
    """To the server, all that the call costs on a connection that is open already."""
    wire_down: float


class Counter:
    """Bytes that went through the proxy."""

    def __init__(self) -> None:
        self.up = self.down = 0


async def weight(target: str, rows: int, *, signature: str = contract.DEFAULT.name) -> Weight:
    """What a call with so many questions weighs."""
    encoded = request(contract.MODEL_NAME, questions(rows, 0), signature=signature)
    unlimited = [("grpc.max_receive_message_length", -1)]
    async with (
        counted(target) as (proxy, counter),
        grpc.aio.insecure_channel(proxy, options=unlimited) as channel,
    ):
        ask = channel.unary_unary(METHOD)
        reply = await ask(encoded, timeout=60)  # opens the connection
        up, down = counter.up, counter.down
        for _ in range(CALLS):
            await ask(encoded, timeout=60)
        return Weight(
            signature,
            rows,
            len(encoded),
            len(reply),
            (counter.up - up) / CALLS,
            (counter.down - down) / CALLS,
        )


@asynccontextmanager
async def counted(target: str) -> AsyncIterator[tuple[str, Counter]]:
    """A proxy in front of the server, for one connection: its address, and what goes through."""
    counter = Counter()
    host, _, port = target.rpartition(":")
    ended = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(host, int(port))

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: str) -> None:
            while data := await source.read(1 << 16):
                setattr(counter, way, getattr(counter, way) + len(data))
                sink.write(data)
                await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, forth, "up"), pump(back, writer, "down"))
        ended.set()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", counter
        await ended.wait()


def streams(target: str) -> int | None:
    """Calls at a time that a server allows on one connection; None for no limit."""
    host, _, port = target.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(PREFACE + frame(SETTINGS, b""))
        stream = connection.makefile("rb")
        while True:
            head = stream.read(9)
            length, kind = int.from_bytes(head[:3], "big"), head[3]
            body = stream.read(length)
            if kind == SETTINGS:
                settings = dict(struct.iter_unpack(">HI", body))
                found = settings.get(MAX_CONCURRENT_STREAMS, UNLIMITED)
                return None if found >= UNLIMITED else found


def frame(kind: int, body: bytes) -> bytes:
    """An HTTP/2 frame of the connection itself."""
    return len(body).to_bytes(3, "big") + bytes([kind, 0]) + bytes(4) + body
