"""The gRPC server: its addresses, its services, its beginning and its end.

It is grpcio's server of threads. Against `grpc.aio` with worker threads behind it, which needs
two hops more for each call, it took a quarter to a third less CPU for single calls; `grpc.aio`
without threads would take as little, but nobody else is served while a graph runs.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tensorflow_serving.apis import (  # noqa: F401  # their descriptors are what reflection tells
    model_service_pb2,
    prediction_service_pb2,
)

from seq2sum_serving.embedded.config import ChannelArgument, ServerConfig
from seq2sum_serving.embedded.ports import address, cannot_listen
from seq2sum_serving.embedded.prediction_service import DataPlane
from seq2sum_serving.embedded.rpc.connections import end_writing
from seq2sum_serving.embedded.rpc.credentials import credentials
from seq2sum_serving.embedded.rpc.gate import Gate
from seq2sum_serving.embedded.rpc.health import Health
from seq2sum_serving.embedded.rpc.quota import ThreadQuota
from seq2sum_serving.embedded.rpc.service import MODEL_SERVICE, PREDICTION_SERVICE, Service
from seq2sum_serving.embedded.server_core import Core

log = logging.getLogger(__name__)

THREADS = "request"
"""Names of the threads begin so."""
SPARE_THREADS = 256
"""For calls whose request is still on its way, refused calls, health and reflection."""
SECONDS_TO_HOLD = 1.0
"""New calls are held so long while a server stops, if a call takes longer than that."""
SECONDS_TO_SEND = 0.05
"""For the last replies to get out of the buffers of the system."""
OPTIONS: tuple[ChannelArgument, ...] = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


class GrpcFront:
    """PredictionService, ModelService, reflection, and health if asked for."""

    def __init__(
        self,
        plane: DataPlane,
        core: Core,
        config: ServerConfig,
        *,
        before: Sequence[grpc.GenericRpcHandler] = (),
        gate: Gate | None = None,
    ) -> None:
        """Makes a server that does not listen yet.

        Args:
            plane: Who answers PredictionService.
            core: Who answers ModelService.
            config: The server.
            before: Who is asked first for the handler of a method.
            gate: That of `before`, if its calls are to be waited for at the end too.
        """
        self._config = config
        self._pool = ThreadPoolExecutor(config.grpc_max_threads + SPARE_THREADS, THREADS)
        self._server = grpc.server(self._pool, options=_options(config))
        names = [PREDICTION_SERVICE, MODEL_SERVICE, reflection.SERVICE_NAME]
        self._health = Health()
        if config.health:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(names, self._server)
        self._server.add_generic_rpc_handlers(tuple(before))
        # The last one, since it has a word for every method.
        self._gate = gate or Gate()
        service = Service(plane, core, ThreadQuota(config.grpc_max_threads), self._gate)
        self._server.add_generic_rpc_handlers((service,))

    async def start(self, *, inner_socket: str = "") -> None:
        """Opens the port and the socket, and serves.

        Args:
            inner_socket: Path of one more socket, for processes of this server: without TLS.

        Raises:
            StartupError: One of them cannot be opened, or the TLS configuration is none.
        """
        config = self._config
        if config.port:
            self._listen(address(config.host, config.port), flag="port")
        if config.socket_path:
            self._listen(f"unix:{config.socket_path}", flag="grpc_socket_path")
        if inner_socket:
            self._server.add_insecure_port(f"unix:{inner_socket}")
        self._server.start()

    async def stop(self, grace: float) -> None:
        """Answers the calls that have begun, refuses all others, and ends the connections.

        Args:
            grace: Seconds that the calls may take; those that run longer are cut.
        """
        await asyncio.to_thread(self._stop, grace)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _stop(self, grace: float) -> None:
        """Stops; see `Gate` for why calls that come meanwhile are held.

        While a call takes long, clients are asked to leave (GOAWAY), so that their other calls
        need not wait for it. What they send before they have read that, gRPC cancels: a moment
        that the usual stop, with quick calls only, does without.
        """
        deadline = time.monotonic() + grace
        self._gate.close()
        self._health.enter_graceful_shutdown()
        if not self._gate.wait_until_idle(min(deadline, time.monotonic() + SECONDS_TO_HOLD)):
            if time.monotonic() < deadline:
                self._server.stop(deadline - time.monotonic() + SECONDS_TO_SEND)
            self._gate.refuse()
            self._gate.wait_until_idle(deadline)
        time.sleep(min(grace, SECONDS_TO_SEND))
        end_writing(self._config.port, self._config.socket_path)
        self._server.stop(None)
        self._gate.refuse()

    def _listen(self, where: str, *, flag: str) -> None:
        try:
            if self._config.ssl is None:
                self._server.add_insecure_port(where)
            else:
                self._server.add_secure_port(where, credentials(self._config.ssl))
        except RuntimeError as error:  # gRPC does not say more; it was free a moment ago
            raise cannot_listen(where, error, flag=flag) from error
        log.info("Running gRPC ModelServer at %s ...", where)


def _options(config: ServerConfig) -> tuple[ChannelArgument, ...]:
    # Two servers on one port would share its calls at random; a taken port is an error here.
    shared = ("grpc.so_reuseport", int(config.processes > 1))
    return (*OPTIONS, shared, *config.channel_arguments)
