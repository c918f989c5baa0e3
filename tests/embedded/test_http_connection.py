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
PATIENCE = 10


async def echo(request):
    """Answers with what was asked."""
    if request.target == b"/page":
        return replies.error_page(404)
    if request.target == b"/bug":
        raise ValueError("a bug")
    return Reply(200, request.target + request.body)


@contextlib.asynccontextmanager
async def serving(answer=echo, stopping=None):
    """A server on a free port; gives a function that connects, and the open connections."""
    stopping = stopping or asyncio.Event()
    loop = asyncio.get_running_loop()
    connections = set()
    server = await loop.create_server(
        lambda: Connection(answer, connections, stopping), "127.0.0.1", 0
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
    """Status line, headers and body of a reply; None if the connection has ended."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
    except asyncio.IncompleteReadError:
        return None
    status, *lines = head.decode().split("\r\n")[:-2]
    headers = dict(line.lower().split(": ", 1) for line in lines)
    assert "date" in headers or not status.startswith("HTTP/1.1 2")
    headers.pop("date", None)
    size = 0 if verb == "HEAD" else int(headers.get("content-length", 0))
    body = await asyncio.wait_for(reader.readexactly(size), PATIENCE)
    if "content-length" not in headers and status.startswith("HTTP/1.0"):
        body = await asyncio.wait_for(reader.read(), PATIENCE)
    return status, headers, body


async def is_closed(reader):
    return await asyncio.wait_for(reader.read(1), PATIENCE) == b""


def ask(data, *, half_close=False, replies=1, verb="POST"):
    """Sends bytes on a connection; returns the replies, and whether the connection has ended."""

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


def test_a_connection_stays_unless_the_client_says_otherwise():
    (reply,), ended = ask(GET)
    assert reply == ("HTTP/1.1 200 OK", JSON | headers(content_length="2"), b"/a")
    assert not ended
    (reply,), ended = ask(b"GET /a HTTP/1.1\r\nConnection: Close\r\n\r\n")
    assert reply[1] == JSON | headers(content_length="2", connection="close")
    assert ended
    (reply,), ended = ask(b"GET /a HTTP/1.1\r\nConnection: x, close\r\n\r\n")
    assert (reply[1], ended) == (JSON | headers(content_length="2"), False)


def test_http_1_0_is_answered_as_such():
    (reply,), ended = ask(b"GET /a HTTP/1.0\r\n\r\n")
    assert (reply, ended) == (("HTTP/1.0 200 OK", JSON, b"/a"), True)
    kept = b"GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
    found, ended = ask(kept + kept, replies=2)
    expected = JSON | headers(content_length="2", connection="keep-alive")
    assert found == [("HTTP/1.0 200 OK", expected, b"/a")] * 2
    assert not ended
    (reply,), _ = ask(b"GET /a HTTP/1.0\r\nConnection: close\r\n\r\n")
    assert reply[1] == JSON | headers(connection="close")
    (reply,), ended = ask(b"GET /page HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert (reply[0], reply[1]["connection"], ended) == ("HTTP/1.1 404 Not Found", "close", True)


def test_a_client_behind_a_proxy_says_so_in_a_header_of_its_own():
    proxied = b"GET http://x/a HTTP/1.1\r\nConnection: keep-alive\r\n"
    (reply,), ended = ask(proxied + b"\r\n")
    assert (reply[1], ended) == (JSON | headers(content_length="10"), True)
    (reply,), ended = ask(proxied + b"Proxy-Connection: keep-alive\r\n\r\n")
    assert (reply[1], ended) == (JSON | headers(content_length="10"), False)


def test_requests_on_one_connection_are_answered_in_order():
    data = b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(50))
    found, ended = ask(data, replies=50)
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
def test_a_client_that_has_shut_its_sending_side_is_answered(data):
    (reply,), ended = ask(data, half_close=True)
    assert reply[0] == "HTTP/1.1 200 OK"
    assert ended
    assert ask(data + GET, half_close=True, replies=2)[0][1][2] == b"/a"


@pytest.mark.parametrize(
    "data", [b"", b"GET", b"GET /a HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1"]
)
def test_half_a_request_is_not_answered(data):
    assert ask(data, half_close=True) == ([None], True)


def held_handler():
    """Returns a handler that waits, an event of its first call, and one that lets it go on."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request):
        begun.set()
        await go_on.wait()
        return await echo(request)

    return slow, begun, go_on


def test_a_half_closed_client_waits_for_a_slow_answer():
    async def exchange():
        slow, begun, go_on = held_handler()
        async with serving(slow) as (connect, connections):
            reader, writer = await connect()
            writer.write(GET)
            await begun.wait()
            writer.write_eof()
            while not next(iter(connections))._at_end:
                await asyncio.sleep(0)
            go_on.set()
            assert (await read_reply(reader))[2] == b"/a"
            assert await is_closed(reader)

    asyncio.run(exchange())


def test_head_has_the_length_and_no_body():
    found, ended = ask(b"HEAD /a HTTP/1.1\r\n\r\n" + GET, replies=1, verb="HEAD")
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
def test_pages_end_the_connection(data, status):
    ((line, fields, body),), ended = ask(data)
    assert line == f"HTTP/1.1 {status}"
    size = str(len(body))
    assert fields == headers(content_type="text/html", content_length=size, connection="close")
    assert f"<TITLE>{status}</TITLE>".encode() in body
    assert ended


def test_reasons_are_evhttps_words():
    assert replies.reason_phrase(504) == "Gateway Time-out"
    assert replies.reason_phrase(429) == "Client Error"
    assert all(replies.reason_phrase(status) for status in replies.STATUSES.values())


def test_a_client_may_wait_for_continue():
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


def test_a_silent_client_is_dropped(monkeypatch):
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


def test_a_client_is_not_dropped_while_it_is_the_servers_turn(monkeypatch):
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


def test_a_client_that_does_not_take_its_reply_is_dropped(monkeypatch):
    monkeypatch.setattr(http_connection, "IDLE_SECONDS", 0.1)

    async def exchange():
        async with serving(large) as (connect, connections):
            _, writer = await connect()
            writer.transport.pause_reading()
            writer.write(GET)
            while not connections:
                await asyncio.sleep(0)
            await asyncio.wait_for(next(iter(connections)).closed, PATIENCE)

    asyncio.run(exchange())


def test_a_slow_reader_gets_its_whole_reply_and_holds_back_the_next(monkeypatch):
    monkeypatch.setattr(http_connection, "IDLE_SECONDS", 0.3)
    asked = []

    async def counting(request):
        asked.append(request)
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
                    assert len(asked) == 1
                await asyncio.sleep(0.02)
            assert (await read_reply(reader))[2] == LARGE

    asyncio.run(exchange())


def test_what_a_client_sends_ahead_is_bounded():
    async def exchange():
        slow, begun, go_on = held_handler()
        async with serving(slow) as (connect, connections):
            reader, writer = await connect()
            post = b"POST /p HTTP/1.1\r\nContent-Length: 8000000\r\n\r\n" + b"y" * 8_000_000
            writer.write(GET + post)
            await begun.wait()
            connection = next(iter(connections))
            while connection._transport.is_reading():
                await asyncio.sleep(0)
            assert connection._parser.buffered < 1 << 20
            go_on.set()
            assert (await read_reply(reader))[2] == b"/a"
            assert len((await read_reply(reader))[2]) == 8_000_002

    asyncio.run(exchange())


def test_a_call_is_dropped_when_its_client_is_gone():
    async def exchange():
        begun, dropped = asyncio.Event(), asyncio.Event()

        async def endless(request):  # noqa: ARG001
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                dropped.set()

        async with serving(endless) as (connect, _):
            _, writer = await connect()
            writer.write(GET)
            await begun.wait()
            # With a reset: an ordinary end looks like a client that has only shut its sending side.
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            await asyncio.wait_for(dropped.wait(), PATIENCE)

    asyncio.run(exchange())


def test_a_stop_closes_what_is_idle_and_lets_calls_finish():
    async def exchange():
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow(request):
            if request.target == b"/slow":
                begun.set()
                await go_on.wait()
            return await echo(request)

        stopping = asyncio.Event()
        async with serving(slow, stopping) as (connect, connections):
            idle, writer = await connect()
            writer.write(GET)
            await read_reply(idle)
            busy, writer = await connect()
            writer.write(b"GET /slow HTTP/1.1\r\n\r\n" + GET)
            half, half_writer = await connect()
            half_writer.write(b"POST /p HTTP/1.1\r\nContent-Length: 19\r\n\r\n" + BODY[:3])
            await begun.wait()
            while all(one._parser.idle or one._task for one in connections):
                await asyncio.sleep(0)
            stopping.set()
            for connection in tuple(connections):
                connection.close_if_idle()
            assert await is_closed(idle)
            late, _ = await connect()
            assert await is_closed(late)
            go_on.set()
            half_writer.write(BODY[3:])
            for reader, body in ((busy, b"/slow"), (half, b"/p" + BODY)):
                _, fields, found = await read_reply(reader)
                assert (found, fields["connection"]) == (body, "close")
                assert await is_closed(reader)

    asyncio.run(exchange())
