"""The HTTP server of the REST API, on its own thread and event loop.

Neither a large body nor a slow reader here holds up the loop that serves gRPC.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from seq2sum_serving.embedded.errors import Code, StartupError
from seq2sum_serving.embedded.ports import address
from seq2sum_serving.embedded.prediction_service import DataPlane
from seq2sum_serving.embedded.rest.api import RestApi
from seq2sum_serving.embedded.rest.http_connection import Connection
from seq2sum_serving.embedded.rest.page import Page
from seq2sum_serving.embedded.rest.router import Router, RouterOptions
from seq2sum_serving.embedded.server_core import Core

log = logging.getLogger(__name__)

EVERYWHERE = ("", "::", "0.0.0.0")
"""Hosts that mean all addresses, of both families where the system has both."""

EVENT_LOOP_THREADS = 1
"""Of `--rest_api_num_threads`, those that answer nothing."""
BACKLOG = 2048
STOP_MARGIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class RestOptions:
    """What flags say about the REST API."""

    threads: int
    """`--rest_api_num_threads`, at least 1; one of them answers nothing."""
    timeout: float | None = 30.0
    """`--rest_api_timeout_in_ms` in seconds; None for no limit."""
    router: RouterOptions = field(default_factory=RouterOptions)
    """What concerns the application alone."""


class RestServer:
    """The REST API on a port."""

    def __init__(self, plane: DataPlane, core: Core, options: RestOptions) -> None:
        count = options.threads - EVENT_LOOP_THREADS
        self._workers = ThreadPoolExecutor(count, "rest") if count > 0 else None
        self._router = Router(
            RestApi(plane, core, options.timeout), Page(core.models), self._workers, options.router
        )
        self._connections: set[Connection] = set()
        self._stop = asyncio.Event()
        self._grace = 0.0
        self._thread: threading.Thread | None = None

    def start(self, host: str, port: int) -> None:
        """Opens the port and serves.

        Raises:
            StartupError: The port cannot be opened.
        """
        try:
            listener = _listener(host, port)
        except OSError as error:
            raise StartupError(
                Code.UNAVAILABLE,
                f"cannot listen on {address(host, port)} for REST: {error.strerror}; stop what "
                "uses the port, or choose another with --rest_api_port",
            ) from error
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run, args=(listener,), name="rest", daemon=True
        )
        self._thread.start()
        log.info("Exporting HTTP/REST API at:%s:%d ...", host or "localhost", port)

    def stop(self, grace: float) -> None:
        """Closes the port, lets calls in flight finish, and returns when all is over.

        Args:
            grace: Seconds that they may take.
        """
        # Without workers no call will ever finish.
        self._grace = grace if self._workers else 0
        if self._thread:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(self._grace + STOP_MARGIN_SECONDS)
            self._thread = None
        if self._workers:
            self._workers.shutdown(wait=False, cancel_futures=True)

    def _run(self, listener: socket.socket) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(listener))

    async def _serve(self, listener: socket.socket) -> None:
        """Serves until the server is to stop, and then until all connections are closed."""
        server = await self._loop.create_server(
            lambda: Connection(self._router.answer, self._connections, self._stop),
            sock=listener,
            backlog=BACKLOG,
        )
        await self._stop.wait()
        # Clients that are accepted already become connections first: asyncio forgets their sockets
        # when the server closes before that, and they wait for ever.
        self._loop.remove_reader(listener)
        await asyncio.sleep(0)
        server.close()
        for connection in tuple(self._connections):
            connection.close_if_idle()
        await self._until_closed(self._grace)
        for connection in tuple(self._connections):
            connection.abort()
        await self._until_closed(STOP_MARGIN_SECONDS)

    async def _until_closed(self, seconds: float) -> None:
        if self._connections:
            await asyncio.wait([one.closed for one in self._connections], timeout=seconds)


def _listener(host: str, port: int) -> socket.socket:
    """A listening socket; for all addresses of both families, or of IPv4 if there is no other."""
    if host not in EVERYWHERE:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    elif socket.has_dualstack_ipv6():
        listener = socket.create_server(
            ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG
        )
    else:
        listener = socket.create_server(("", port), backlog=BACKLOG)
    # Connections inherit it. asyncio would not set it for sockets that it did not open itself,
    # and the body of a reply would wait 40 ms for the client to acknowledge the head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
