"""The HTTP server of the REST API, with its own thread and event loop.

Large bodies and slow clients therefore do not delay the event loop of gRPC.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from seq2sum_serving.embedded.ports import address, cannot_listen
from seq2sum_serving.embedded.prediction_service import PredictionService
from seq2sum_serving.embedded.rest.api import RestApi
from seq2sum_serving.embedded.rest.http_connection import Connection
from seq2sum_serving.embedded.rest.page import Page
from seq2sum_serving.embedded.rest.router import Router, RouterOptions
from seq2sum_serving.embedded.server_core import ServerCore

log = logging.getLogger(__name__)

ALL_ADDRESSES = ("", "::", "0.0.0.0")
"""Hosts that mean all addresses, IPv4 and IPv6 if the system has both."""

EVENT_LOOP_THREADS = 1
"""Part of `--rest_api_num_threads` that handles no calls."""
BACKLOG = 2048
STOP_MARGIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class RestOptions:
    """Flags that concern the REST API."""

    threads: int
    """`--rest_api_num_threads`, at least 1, including the event loop."""
    timeout: float | None = 30.0
    """`--rest_api_timeout_in_ms` in seconds; None for no limit."""
    router: RouterOptions = field(default_factory=RouterOptions)
    """Flags that concern the router."""


class RestServer:
    """The REST API on a port."""

    def __init__(self, service: PredictionService, core: ServerCore, options: RestOptions) -> None:
        count = options.threads - EVENT_LOOP_THREADS
        self._workers = ThreadPoolExecutor(count, "rest") if count > 0 else None
        self._router = Router(
            RestApi(service, core, options.timeout),
            Page(core.models),
            self._workers,
            options.router,
        )
        self._connections: set[Connection] = set()
        self._stop = asyncio.Event()
        self._grace = 0.0
        self._thread: threading.Thread | None = None

    def start(self, host: str, port: int) -> None:
        """Opens the port and starts to serve.

        Raises:
            StartupError: The port cannot be opened.
        """
        try:
            listener = _listener(host, port)
        except OSError as error:
            where = f"{address(host, port)} for REST"
            raise cannot_listen(where, error, flag="rest_api_port") from error
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run, args=(listener,), name="rest", daemon=True
        )
        self._thread.start()
        log.info("Exporting HTTP/REST API at:%s:%d ...", host or "localhost", port)

    def stop(self, grace: float) -> None:
        """Closes the port and waits for calls in flight.

        Args:
            grace: Seconds after which calls are aborted.
        """
        # Without workers no call ever finishes.
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
        """Serves until the server stops and all connections are closed."""
        server = await self._loop.create_server(
            lambda: Connection(self._router.handle, self._connections, self._stop),
            sock=listener,
            backlog=BACKLOG,
        )
        await self._stop.wait()
        # Accepted clients must become connections first: if the server closes before that, asyncio
        # drops their sockets without closing them.
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
            await asyncio.wait(
                [connection.closed for connection in self._connections], timeout=seconds
            )


def _listener(host: str, port: int) -> socket.socket:
    """Opens a socket; for all addresses it is dual-stack if the system supports that."""
    if host not in ALL_ADDRESSES:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    elif socket.has_dualstack_ipv6():
        listener = socket.create_server(
            ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG
        )
    else:
        listener = socket.create_server(("", port), backlog=BACKLOG)
    # Connections inherit the option. asyncio does not set it for sockets that it did not open, and
    # without it the body of a reply would wait 40 ms for the client to acknowledge the headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
