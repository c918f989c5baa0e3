"""grpcio's gRPC server: its addresses, its services, its start and its graceful stop.

It is the threaded server: see "Two gRPC servers" in docs/design-notes.md.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import (  # noqa: F401  # reflection needs their descriptors
    model_service_pb2,
    prediction_service_pb2,
)

from seq2sum_serving.embedded.config import ChannelArgument, ServerConfig
from seq2sum_serving.embedded.ports import address, cannot_listen
from seq2sum_serving.embedded.rpc.connections import end_writing
from seq2sum_serving.embedded.rpc.credentials import credentials
from seq2sum_serving.embedded.rpc.gate import Gate, ThreadQuota
from seq2sum_serving.embedded.rpc.handlers import (
    MODEL_SERVICE,
    PREDICTION_SERVICE,
    Handlers,
    Method,
)
from seq2sum_serving.embedded.rpc.health import Health

log = logging.getLogger(__name__)

THREAD_NAME_PREFIX = "request"
SPARE_THREADS = 256
"""For calls whose request is not complete, refused calls, health and reflection."""
MAX_HOLD_SECONDS = 1.0
"""A stopping server holds new calls for at most this time before it refuses them."""
FLUSH_SECONDS = 0.05
"""Time that the system gets to send the last responses."""
OPTIONS: tuple[ChannelArgument, ...] = (
    # Two servers that share a port would split its calls at random; here a taken port is an error.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


class GrpcServer:
    """Serves PredictionService, ModelService, reflection, and health if configured."""

    def __init__(self, methods: Mapping[str, Method], config: ServerConfig) -> None:
        """Makes a server that does not listen yet.

        Args:
            methods: The RPCs by path; others are UNIMPLEMENTED.
            config: The server's configuration.
        """
        self._config = config
        self._pool = ThreadPoolExecutor(config.grpc_max_threads + SPARE_THREADS, THREAD_NAME_PREFIX)
        self._server = grpc.server(self._pool, options=(*OPTIONS, *config.channel_arguments))
        self._health = Health()
        if config.health:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [PREDICTION_SERVICE, MODEL_SERVICE, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, self._server)
        self._gate = Gate()
        # `Handlers` comes last, since it handles every method.
        handlers = Handlers(methods, ThreadQuota(config.grpc_max_threads), self._gate)
        self._server.add_generic_rpc_handlers([handlers])

    def start(self) -> None:
        """Opens the port and the socket, and serves.

        Raises:
            StartupError: An address cannot be opened, or the TLS configuration is invalid.
        """
        config = self._config
        if config.port:
            self._open_port(address(config.host, config.port))
        if config.socket_path:
            self._listen(f"unix:{config.socket_path}", flag="grpc_socket_path")
        self._server.start()

    def stop(self, grace: float) -> None:
        """Finishes the calls that have started, refuses new calls, and ends the connections.

        If a running call takes long, clients are sent a GOAWAY, so that their other calls need not
        wait for it. gRPC cancels the calls that a client sends before it has read the GOAWAY;
        therefore none is sent if all running calls end quickly.

        Args:
            grace: Seconds that running calls may take; those that take longer are cut off.
        """
        deadline = time.monotonic() + grace
        self._gate.close()
        self._health.enter_graceful_shutdown()
        if not self._gate.wait_until_idle(min(deadline, time.monotonic() + MAX_HOLD_SECONDS)):
            if time.monotonic() < deadline:
                self._send_goaway(deadline - time.monotonic() + FLUSH_SECONDS)
            self._gate.refuse()
            self._gate.wait_until_idle(deadline)
        time.sleep(min(grace, FLUSH_SECONDS))
        self._wait_until_sent(deadline)
        end_writing(self._config.port, self._config.socket_path)
        self._server.stop(None)
        self._gate.refuse()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _open_port(self, where: str) -> None:
        self._listen(where, flag="port")

    def _send_goaway(self, seconds: float) -> None:
        """Asks clients to use other connections; running calls may take these seconds."""
        self._server.stop(seconds)

    def _wait_until_sent(self, deadline: float) -> None:
        """Waits until the responses are sent: a call of grpcio ends only then."""

    def _listen(self, where: str, *, flag: str) -> None:
        try:
            if self._config.ssl is None:
                self._server.add_insecure_port(where)
            else:
                self._server.add_secure_port(where, credentials(self._config.ssl))
        except RuntimeError as error:  # without a reason; the address was free a moment ago
            raise cannot_listen(where, error, flag=flag) from error
        log.info("Running gRPC ModelServer at %s ...", where)
