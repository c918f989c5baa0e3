"""Measures the bytes of calls: of the messages, and of all traffic.

A proxy between client and server counts bytes, so that headers and HTTP/2 frames are included.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
from seq2sum.addition import contract

from benchmarks.load.requests import METHOD, UNLIMITED, encode, questions

CALLS = 20
"""Calls of each size to average over: HPACK encodes headers relative to those of earlier calls."""


@dataclass(frozen=True, slots=True)
class CallBytes:
    """Bytes of one call."""

    signature: str
    rows: int
    """Questions per call."""
    request: int
    reply: int
    wire_up: float
    """All traffic to the server on an open connection."""
    wire_down: float
    """All traffic from the server."""


class ByteCounter:
    """Counts the bytes that pass the proxy."""

    def __init__(self) -> None:
        self.up = self.down = 0


async def measure(target: str, rows: int, *, signature: str) -> CallBytes:
    """Measures calls with `rows` questions each."""
    encoded = encode(contract.MODEL_NAME, questions(rows, 0), signature=signature)
    async with (
        counting_proxy(target) as (proxy, counter),
        grpc.aio.insecure_channel(proxy, options=UNLIMITED) as channel,
    ):
        call = channel.unary_unary(METHOD)
        reply = await call(encoded, timeout=60)  # opens the connection
        up, down = counter.up, counter.down
        for _ in range(CALLS):
            await call(encoded, timeout=60)
        return CallBytes(
            signature,
            rows,
            len(encoded),
            len(reply),
            (counter.up - up) / CALLS,
            (counter.down - down) / CALLS,
        )


@asynccontextmanager
async def counting_proxy(target: str) -> AsyncIterator[tuple[str, ByteCounter]]:
    """Runs a proxy for one connection; yields its address and the counter."""
    counter = ByteCounter()
    host, _, port = target.rpartition(":")
    ended = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(host, int(port))

        async def pump(
            source: asyncio.StreamReader, sink: asyncio.StreamWriter, direction: str
        ) -> None:
            while data := await source.read(1 << 16):
                setattr(counter, direction, getattr(counter, direction) + len(data))
                sink.write(data)
                await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, forth, "up"), pump(back, writer, "down"))
        ended.set()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", counter
        await ended.wait()
