"""HTTP connections of the REST API with slow, idle or gone clients, and their graceful stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

from seq2sum_serving.embedded.rest import http_connection
from seq2sum_serving.embedded.rest.replies import Reply
from support.http_connections import (
    BODY,
    GET,
    TIMEOUT,
    blocking_handler,
    echo,
    is_closed,
    read_reply,
    serving,
)


def test_idle_client_is_disconnected(monkeypatch):
    monkeypatch.setattr(http_connection, "IDLE_SECONDS", 0.05)

    async def exchange():
        async with serving() as (connect, connections):
            for sent in (b"", b"GET", GET, b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1"):
                reader, writer = await connect()
                writer.write(sent)
                if sent == GET:
                    await read_reply(reader)
                with contextlib.suppress(ConnectionResetError):
                    assert await is_closed(reader)
            assert not connections

    asyncio.run(exchange())


def test_client_that_waits_for_a_reply_is_not_idle(monkeypatch):
    monkeypatch.setattr(http_connection, "IDLE_SECONDS", 0.02)

    async def slow(request):
        await asyncio.sleep(0.1)
        return await echo(request)

    async def exchange():
        async with serving(slow) as (connect, _):
            reader, writer = await connect()
            writer.write(GET)
            assert (await read_reply(reader))[2] == b"/a"

    asyncio.run(exchange())


LARGE = b"x" * (32 << 20)


async def large(request):  # noqa: ARG001
    return Reply(200, LARGE)


def test_client_that_does_not_read_its_reply_is_disconnected(monkeypatch):
    monkeypatch.setattr(http_connection, "IDLE_SECONDS", 0.1)

    async def exchange():
        async with serving(large) as (connect, connections):
            _, writer = await connect()
            writer.transport.pause_reading()
            writer.write(GET)
            while not connections:
                await asyncio.sleep(0)
            await asyncio.wait_for(next(iter(connections)).closed, TIMEOUT)

    asyncio.run(exchange())


def test_slow_client_gets_a_complete_reply_before_the_next_request_is_handled(monkeypatch):
    monkeypatch.setattr(http_connection, "IDLE_SECONDS", 0.3)
    requests = []

    async def counting(request):
        requests.append(request)
        return Reply(200, LARGE)

    async def exchange():
        async with serving(counting) as (connect, _):
            reader, writer = await connect()
            writer.write(GET + GET)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"200 OK" in head
            left = len(LARGE)
            while left:
                piece = await reader.read(min(left, 1 << 20))
                assert piece
                left -= len(piece)
                if left > len(LARGE) // 2:
                    assert len(requests) == 1
                await asyncio.sleep(0.02)
            assert (await read_reply(reader))[2] == LARGE

    asyncio.run(exchange())


def test_reading_ahead_is_bounded():
    async def exchange():
        handler, started, release = blocking_handler()
        async with serving(handler) as (connect, connections):
            reader, writer = await connect()
            post = b"POST /p HTTP/1.1\r\nContent-Length: 8000000\r\n\r\n" + b"y" * 8_000_000
            writer.write(GET + post)
            await started.wait()
            connection = next(iter(connections))
            while connection._transport.is_reading():
                await asyncio.sleep(0)
            assert connection._parser.buffered < 1 << 20
            release.set()
            assert (await read_reply(reader))[2] == b"/a"
            assert len((await read_reply(reader))[2]) == 8_000_002

    asyncio.run(exchange())


def test_call_is_cancelled_when_its_client_disconnects():
    async def exchange():
        started, cancelled = asyncio.Event(), asyncio.Event()

        async def endless(request):  # noqa: ARG001
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        async with serving(endless) as (connect, _):
            _, writer = await connect()
            writer.write(GET)
            await started.wait()
            # Sends a reset: an ordinary close looks like a half-closed client.
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            await asyncio.wait_for(cancelled.wait(), TIMEOUT)

    asyncio.run(exchange())


def test_stop_closes_idle_connections_and_waits_for_calls():
    async def exchange():
        handler, started, release = blocking_handler(b"/slow")
        stopping = asyncio.Event()
        async with serving(handler, stopping) as (connect, connections):
            idle, writer = await connect()
            writer.write(GET)
            await read_reply(idle)
            busy, writer = await connect()
            writer.write(b"GET /slow HTTP/1.1\r\n\r\n" + GET)
            half, half_writer = await connect()
            half_writer.write(b"POST /p HTTP/1.1\r\nContent-Length: 19\r\n\r\n" + BODY[:3])
            await started.wait()
            while all(client._parser.idle or client._task for client in connections):
                await asyncio.sleep(0)
            stopping.set()
            for connection in tuple(connections):
                connection.close_if_idle()
            assert await is_closed(idle)
            late, _ = await connect()
            assert await is_closed(late)
            release.set()
            half_writer.write(BODY[3:])
            for reader, body in ((busy, b"/slow"), (half, b"/p" + BODY)):
                _, fields, found = await read_reply(reader)
                assert (found, fields["connection"]) == (body, "close")
                assert await is_closed(reader)

    asyncio.run(exchange())
