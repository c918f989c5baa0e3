"""The HTTP server of the REST API: uvicorn on a thread and an event loop of its own.

Of its own, so that neither a large body nor a slow reader here holds up the loop that serves gRPC.
"""

from __future__ import annotations

import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from seq2sum_serving.embedded.core import Core
from seq2sum_serving.embedded.errors import Code, StartupError
from seq2sum_serving.embedded.plane import DataPlane
from seq2sum_serving.embedded.ports import address
from seq2sum_serving.embedded.rest import replies
from seq2sum_serving.embedded.rest.app import App, AppOptions
from seq2sum_serving.embedded.rest.calls import Calls
from seq2sum_serving.embedded.rest.page import Page

log = logging.getLogger(__name__)

EVERYWHERE = ("", "::", "0.0.0.0")
"""Hosts that mean all addresses, of both families where the system has both."""

EVENT_LOOP_THREADS = 1
"""Of `--rest_api_num_threads`, those that answer nothing."""
BACKLOG = 2048
IDLE_SECONDS = 50
"""How long a connection may rest between two requests, as with the real HTTP layer."""
LARGEST_HEAD_BYTES = 1 << 20
"""Request line and headers; the real one has no limit, but nothing longer is meant."""
STOP_MARGIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class RestOptions:
    """What flags say about the REST API."""

    threads: int
    """`--rest_api_num_threads`, at least 1; one of them answers nothing."""
    timeout: float | None = 30.0
    """`--rest_api_timeout_in_ms` in seconds; None for no limit."""
    app: AppOptions = field(default_factory=AppOptions)
    """What concerns the application alone."""


class RestServer:
    """The REST API on a port."""

    def __init__(self, plane: DataPlane, core: Core, options: RestOptions) -> None:
        count = options.threads - EVENT_LOOP_THREADS
        self._workers = ThreadPoolExecutor(count, "rest") if count > 0 else None
        app = App(
            Calls(plane, core, options.timeout), Page(core.models), self._workers, options.app
        )
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level=logging.WARNING,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=IDLE_SECONDS,
            h11_max_incomplete_event_size=LARGEST_HEAD_BYTES,
        )
        self._server = uvicorn.Server(config)
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
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="rest", daemon=True
        )
        self._thread.start()
        log.info("Exporting HTTP/REST API at:%s:%d ...", host or "localhost", port)

    def stop(self, grace: float) -> None:
        """Closes the port, lets calls in flight finish, and returns when all is over.

        Args:
            grace: Seconds that they may take.
        """
        # Without workers no call will ever finish.
        patience = grace if self._workers else 0
        self._server.config.timeout_graceful_shutdown = patience  # type: ignore[assignment]
        self._server.should_exit = True
        if self._thread:
            self._thread.join(patience + STOP_MARGIN_SECONDS)
        if self._workers:
            self._workers.shutdown(wait=False, cancel_futures=True)


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


class _Protocol(H11Protocol):
    """HTTP/1.1 whose answer to what is no HTTP looks like the real one's."""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        page = replies.error_page(HTTPStatus.BAD_REQUEST)
        head = h11.Response(
            status_code=page.status,
            headers=[("Content-Type", page.content_type), *page.headers],
            reason=HTTPStatus.BAD_REQUEST.phrase.encode(),
        )
        for event in (head, h11.Data(data=page.body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
