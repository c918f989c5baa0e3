"""Replies on HTTP connections of the REST API: keep-alive, half-closed clients, error pages."""

from __future__ import annotations

import asyncio

import pytest
from seq2sum_serving.embedded.rest import replies
from support.http_connections import (
    BODY,
    GET,
    blocking_handler,
    is_closed,
    read_reply,
    serving,
)


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
