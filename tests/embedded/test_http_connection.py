"""HTTP connections of the REST API: keep-alive, error pages, timeouts and graceful stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

import pytest
from seq2sum_serving.embedded.rest import http_connection, replies
from seq2sum_serving.embedded.rest.http_connection import Connection
from seq2sum_serving.embedded.rest.replies import Reply

BODY = b'{"instances":[1.0]}'
GET = b"GET /a HTTP/1.1\r\n\r\n"
TIMEOUT = 10


async def echo(request):
    """Replies with the target and the body of the request."""
    if request.target == b"/page":
        return replies.error_page(404)
    if request.target == b"/bug":
        raise ValueError("a bug")
    return Reply(200, request.target + request.body)


@contextlib.asynccontextmanager
async def serving(handler=echo, stopping=None):
    """Serves on a free port; yields a function that connects, and the open connections."""
    stopping = stopping or asyncio.Event()
    loop = asyncio.get_running_loop()
    connections = set()
    server = await loop.create_server(
        lambda: Connection(handler, connections, stopping), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    writers = []

    async def connect():
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        writers.append(writer)
        return reader, writer

    try:
        yield connect, connections
    finally:
        server.close()
        for writer in writers:
            writer.close()
        for connection in tuple(connections):
            connection.abort()
            await connection.closed


async def read_reply(reader, verb="POST"):
    """Returns status line, headers and body of a reply; None if the connection is closed."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), TIMEOUT)
    except asyncio.IncompleteReadError:
        return None
    status, *lines = head.decode().split("\r\n")[:-2]
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert "date" in headers or not status.startswith("HTTP/1.1 2")
    headers.pop("date", None)
    size = 0 if verb == "HEAD" else int(headers.get("content-length", 0))
    body = await asyncio.wait_for(reader.readexactly(size), TIMEOUT)
    if "content-length" not in headers and status.startswith("HTTP/1.0"):
        body = await asyncio.wait_for(reader.read(), TIMEOUT)
    return status, headers, body


async def is_closed(reader):
    return await asyncio.wait_for(reader.read(1), TIMEOUT) == b""


def send(data, *, half_close=False, replies=1, verb="POST"):
    """Sends bytes on a connection; returns the replies, and whether it is closed."""

    async def exchange():
        async with serving() as (connect, connections):
            reader, writer = await connect()
            writer.write(data)
            if half_close:
                writer.write_eof()
            found = [await read_reply(reader, verb) for _ in range(replies)]
            await asyncio.sleep(0)
            ended = half_close or not connections
            if ended:
                assert await is_closed(reader)
            return found, ended

    return asyncio.run(exchange())


def headers(**fields):
    return {name.replace("_", "-"): value for name, value in fields.items()}


JSON = {"content-type": "application/json"}


def test_connection_stays_open_unless_the_client_asks_to_close_it():
    (reply,), ended = send(GET)
    assert reply == ("HTTP/1.1 200 OK", JSON | headers(content_length="2"), b"/a")
    assert not ended
    (reply,), ended = send(b"GET /a HTTP/1.1\r\nConnection: Close\r\n\r\n")
    assert reply[1] == JSON | headers(content_length="2", connection="close")
    assert ended
    (reply,), ended = send(b"GET /a HTTP/1.1\r\nConnection: x, close\r\n\r\n")
    assert (reply[1], ended) == (JSON | headers(content_length="2"), False)


def test_http_1_0_reply():
    (reply,), ended = send(b"GET /a HTTP/1.0\r\n\r\n")
    assert (reply, ended) == (("HTTP/1.0 200 OK", JSON, b"/a"), True)
    kept = b"GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
    found, ended = send(kept + kept, replies=2)
    expected = JSON | headers(content_length="2", connection="keep-alive")
    assert found == [("HTTP/1.0 200 OK", expected, b"/a")] * 2
    assert not ended
    (reply,), _ = send(b"GET /a HTTP/1.0\r\nConnection: close\r\n\r\n")
    assert reply[1] == JSON | headers(connection="close")
    (reply,), ended = send(b"GET /page HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert (reply[0], reply[1]["connection"], ended) == ("HTTP/1.1 404 Not Found", "close", True)


def test_proxy_connection_header_keeps_a_proxied_connection():
    proxied = b"GET http://x/a HTTP/1.1\r\nConnection: keep-alive\r\n"
    (reply,), ended = send(proxied + b"\r\n")
    assert (reply[1], ended) == (JSON | headers(content_length="10"), True)
    (reply,), ended = send(proxied + b"Proxy-Connection: keep-alive\r\n\r\n")
    assert (reply[1], ended) == (JSON | headers(content_length="10"), False)


def test_pipelined_requests_are_answered_in_order():
    data = b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(50))
    found, ended = send(data, replies=50)
    assert [body for _, _, body in found] == [b"/%d" % number for number in range(50)]
    assert not ended


@pytest.mark.parametrize(
    "data",
    [
        GET,
        b"POST /a HTTP/1.1\r\nContent-Length: 19\r\n\r\n" + BODY,
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n13\r\n" + BODY + b"\r\n0\r\n\r\n",
    ],
)
def test_half_closed_client_gets_its_replies(data):
    (reply,), ended = send(data, half_close=True)
    assert reply[0] == "HTTP/1.1 200 OK"
    assert ended
    assert send(data + GET, half_close=True, replies=2)[0][1][2] == b"/a"


@pytest.mark.parametrize(
    "data", [b"", b"GET", b"GET /a HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1"]
)
def test_incomplete_request_gets_no_reply(data):
    assert send(data, half_close=True) == ([None], True)


def blocking_handler(target=None):
    """Returns a blocking handler, an event that its first call sets, and one that releases it.

    With a target, only requests for it block.
    """
    started, release = asyncio.Event(), asyncio.Event()

    async def handler(request):
        if target in (None, request.target):
            started.set()
            await release.wait()
        return await echo(request)

    return handler, started, release


def test_half_closed_client_waits_for_a_slow_reply():
    async def exchange():
        handler, started, release = blocking_handler()
        async with serving(handler) as (connect, connections):
            reader, writer = await connect()
            writer.write(GET)
            await started.wait()
            writer.write_eof()
            while not next(iter(connections))._at_end:
                await asyncio.sleep(0)
            release.set()
            assert (await read_reply(reader))[2] == b"/a"
            assert await is_closed(reader)

    asyncio.run(exchange())


def test_head_reply_has_the_length_and_no_body():
    found, ended = send(b"HEAD /a HTTP/1.1\r\n\r\n" + GET, replies=1, verb="HEAD")
    assert found[0][1] == JSON | headers(content_length="2")
    assert not ended


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n", "400 Bad Request"),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "413 Request Entity Too Large",
        ),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nExpect: x\r\n\r\n1",
            "417 Expectation Failed",
        ),
        (b"GET /page HTTP/1.1\r\n\r\n", "404 Not Found"),
        (b"GET /bug HTTP/1.1\r\n\r\n", "500 Internal Server Error"),
    ],
)
def test_error_page_closes_the_connection(data, status):
    ((line, fields, body),), ended = send(data)
    assert line == f"HTTP/1.1 {status}"
    size = str(len(body))
    assert fields == headers(content_type="text/html", content_length=size, connection="close")
    assert f"<TITLE>{status}</TITLE>".encode() in body
    assert ended


def test_reason_phrases_are_those_of_evhttp():
    assert replies.reason_phrase(504) == "Gateway Time-out"
    assert replies.reason_phrase(429) == "Client Error"
    assert all(replies.reason_phrase(status) for status in replies.STATUSES.values())


def test_continue_is_sent_before_the_body():
    async def exchange():
        async with serving() as (connect, _):
            reader, writer = await connect()
            writer.write(b"POST /a HTTP/1.1\r\nContent-Length: 19\r\nExpect: 100-continue\r\n\r\n")
            assert await reader.readexactly(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(BODY[:3])
            await asyncio.sleep(0.01)
            writer.write(BODY[3:])
            assert (await read_reply(reader))[2] == b"/a" + BODY

    asyncio.run(exchange())


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
