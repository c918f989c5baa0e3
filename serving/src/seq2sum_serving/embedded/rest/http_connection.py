"""One connection to a client: its requests are read, answered in order, and the replies sent."""

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
"""How long a client may neither send nor take anything while it is its turn; evhttp's
HTTP_READ_TIMEOUT and HTTP_WRITE_TIMEOUT."""
READ_AHEAD_BYTES = 1 << 16
"""What is taken of further requests while one is being answered."""

Answer = Callable[[Request], Awaitable[Reply]]


class Connection(asyncio.Protocol):
    """Serves one client.

    A client that has shut its sending side still gets its replies. One request is answered at a
    time; while it is, no more than READ_AHEAD_BYTES of the next ones are read.
    """

    def __init__(
        self, answer: Answer, connections: set[Connection], stopping: asyncio.Event
    ) -> None:
        """Makes a connection.

        Args:
            answer: Answers a request; an exception is a bug.
            connections: Has this connection in it as long as it is open.
            stopping: Set once no further request is to be taken.
        """
        self._answer = answer
        self._connections = connections
        self._stopping = stopping
        self._loop = asyncio.get_running_loop()
        self._reader = RequestParser()
        self._task: asyncio.Task[None] | None = None
        """Answers a request and sends the reply."""
        self._drained: asyncio.Future[None] | None = None
        """Pending while the client does not take what is sent to it."""
        self._unsent = 0
        """Bytes of replies that the client had not taken when that was last looked at."""
        self._at_end = False
        """Whether the client has shut its sending side."""
        self._heard = self._loop.time()
        """When the client last did something, or when its turn began."""
        self.closed = self._loop.create_future()
        """Done when the connection is over."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts to serve."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)
        self._timer = self._loop.call_later(IDLE_SECONDS, self._check_idle)
        self.close_if_idle()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forgets the client; a call that has not begun is dropped."""
        self._connections.discard(self)
        self._timer.cancel()
        self.resume_writing()
        if self._task:
            self._task.cancel()
        self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Takes what the client has sent."""
        self._heard = self._loop.time()
        self._reader.feed(data)
        if self._task is None:
            self._go_on()
        elif self._reader.buffered > READ_AHEAD_BYTES:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Notes that nothing more comes; what has come is still answered."""
        self._at_end = True
        if self._task is None:
            self._transport.close()
        return True

    def pause_writing(self) -> None:
        """Notes that the client does not take its replies."""
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        """Goes on once it does."""
        if self._drained and not self._drained.done():
            self._drained.set_result(None)

    def close_if_idle(self) -> None:
        """Closes when the server stops, unless a request is on its way."""
        if self._stopping.is_set() and self._task is None and self._reader.idle:
            self._transport.close()

    def abort(self) -> None:
        """Closes at once."""
        self._transport.abort()

    def _go_on(self) -> None:
        """Answers the next request, if it is complete."""
        try:
            request = self._reader.next_request()
        except HttpError as error:
            page = replies.error_page(error.status)
            self._transport.writelines(reply_bytes(page, Request("", b""), stays=False))
            self._transport.close()
            return
        if request:
            self._task = self._loop.create_task(self._serve(request))
        elif self._at_end:
            self._transport.close()
        elif self._reader.wants_continue:
            self._reader.wants_continue = False
            self._transport.write(CONTINUE)
        self.close_if_idle()

    async def _serve(self, request: Request) -> None:
        try:
            reply = await self._answer(request)
        except Exception:
            log.exception("%s %r failed", request.verb, request.target)
            reply = replies.error_page(replies.INTERNAL_SERVER_ERROR)
        ends = reply.is_error_page or self._stopping.is_set()
        stays = keeps_connection(request) and not ends
        self._transport.writelines(reply_bytes(reply, request, stays=stays))
        self._heard = self._loop.time()
        self._unsent = self._transport.get_write_buffer_size()
        if not stays:
            self._transport.close()
            return
        if self._drained:
            await self._drained
            self._drained = None
        self._task = None
        self._transport.resume_reading()
        self._go_on()

    def _check_idle(self) -> None:
        """Ends the connection if the client is silent for too long."""
        now = self._loop.time()
        unsent = self._transport.get_write_buffer_size()
        is_clients_turn = self._task is None or unsent or self._transport.is_closing()
        if not is_clients_turn or unsent < self._unsent:
            self._heard = now
        self._unsent = unsent
        left = self._heard + IDLE_SECONDS - now
        if left <= 0:
            self._transport.abort()
            return
        self._timer = self._loop.call_later(left, self._check_idle)
