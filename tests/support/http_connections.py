"""HTTP connections of the REST API on a free port, without a server behind them."""

from __future__ import annotations

import asyncio
import contextlib

from seq2sum_serving.embedded.rest import replies
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
