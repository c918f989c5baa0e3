"""A client's HTTP connection: reads requests and replies to them in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from seq2sum_serving.embedded.rest import replies
from seq2sum_serving.embedded.rest.replies import Reply
from seq2sum_serving.embedded.rest.request_parser import HttpError, Request, RequestParser
from seq2sum_serving.embedded.rest.response_writer import CONTINUE, keeps_connection, reply_bytes

log = logging.getLogger(__name__)

IDLE_SECONDS = 50
"""Limit for a client that neither sends nor receives while the server waits for it: evhttp's
HTTP_READ_TIMEOUT and HTTP_WRITE_TIMEOUT."""
READ_AHEAD_BYTES = 1 << 16
"""Limit for reading further requests while one is handled."""

Handler = Callable[[Request], Awaitable[Reply]]


class Connection(asyncio.Protocol):
    """Serves one client.

    A client that has closed its sending side still gets its replies. One request is handled at a
    time; meanwhile, at most about READ_AHEAD_BYTES of the next ones are read.
    """

    def __init__(
        self, handler: Handler, connections: set[Connection], stopping: asyncio.Event
    ) -> None:
        """Creates the protocol of a connection.

        Args:
            handler: Handles a request; an exception is a bug.
            connections: Contains this connection while it is open.
            stopping: Set once no further requests are accepted.
        """
        self._handler = handler
        self._connections = connections
        self._stopping = stopping
        self._loop = asyncio.get_running_loop()
        self._parser = RequestParser()
        self._task: asyncio.Task[None] | None = None
        """Handles a request and sends the reply; None between requests."""
        self._drained: asyncio.Future[None] | None = None
        """Pending while the send buffer is full."""
        self._unsent = 0
        """Bytes in the send buffer at the last check."""
        self._at_end = False
        """Whether the client has closed its sending side."""
        self._last_activity = self._loop.time()
        """Time of the client's last activity, or when the server started to wait for it."""
        self.closed = self._loop.create_future()
        """Done once the connection is closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the idle timer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)
        self._timer = self._loop.call_later(IDLE_SECONDS, self._check_idle)
        self.close_if_idle()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Cancels the request in progress; a call already on a worker thread still runs."""
        self._connections.discard(self)
        self._timer.cancel()
        self.resume_writing()
        if self._task:
            self._task.cancel()
        self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Parses received bytes, and stops reading if the client is too far ahead."""
        self._last_activity = self._loop.time()
        self._parser.feed(data)
        if self._task is None:
            self._next_request()
        elif self._parser.buffered > READ_AHEAD_BYTES:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Closes the connection after the replies to complete requests."""
        self._at_end = True
        if self._task is None:
            self._transport.close()
        return True

    def pause_writing(self) -> None:
        """Delays the next request until the send buffer is drained."""
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """Continues with the next request."""
        if self._drained and not self._drained.done():
            self._drained.set_result(None)

    def close_if_idle(self) -> None:
        """Closes the connection if the server stops, unless a request has started."""
        if self._stopping.is_set() and self._task is None and self._parser.idle:
            self._transport.close()

    def abort(self) -> None:
        """Closes the connection without sending pending replies."""
        self._transport.abort()

    def _next_request(self) -> None:
        """Handles the next request if it is complete."""
        try:
            request = self._parser.next_request()
        except HttpError as error:
            page = replies.error_page(error.status)
            self._transport.writelines(reply_bytes(page, Request("", b""), keep_open=False))
            self._transport.close()
            return
        if request:
            self._task = self._loop.create_task(self._serve(request))
        elif self._at_end:
            self._transport.close()
        elif self._parser.wants_continue:
            self._parser.wants_continue = False
            self._transport.write(CONTINUE)
        self.close_if_idle()

    async def _serve(self, request: Request) -> None:
        try:
            reply = await self._handler(request)
        except Exception:
            log.exception("%s %r failed", request.verb, request.target)
            reply = replies.error_page(replies.INTERNAL_SERVER_ERROR)
        is_last = reply.is_error_page or self._stopping.is_set()
        keep_open = keeps_connection(request) and not is_last
        self._transport.writelines(reply_bytes(reply, request, keep_open=keep_open))
        self._last_activity = self._loop.time()
        self._unsent = self._transport.get_write_buffer_size()
        if not keep_open:
            self._transport.close()
            return
        if self._drained:
            await self._drained
            self._drained = None
        self._task = None
        self._transport.resume_reading()
        self._next_request()

    def _check_idle(self) -> None:
        """Aborts the connection if the client has been idle for too long."""
        now = self._loop.time()
        unsent = self._transport.get_write_buffer_size()
        waits_for_client = self._task is None or unsent or self._transport.is_closing()
        if not waits_for_client or unsent < self._unsent:
            self._last_activity = now
        self._unsent = unsent
        left = self._last_activity + IDLE_SECONDS - now
        if left <= 0:
            self._transport.abort()
            return
        self._timer = self._loop.call_later(left, self._check_idle)
