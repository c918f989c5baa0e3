"""Chooses the gRPC server: the native one where it can do everything that the flags ask for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import grpc

from seq2sum_serving.embedded.config import GRPC_FRONTS, ServerConfig
from seq2sum_serving.embedded.errors import Code, StartupError
from seq2sum_serving.embedded.rpc.gate import Gate
from seq2sum_serving.embedded.rpc.grpc_server import GrpcServer
from seq2sum_serving.embedded.rpc.handlers import Method

if TYPE_CHECKING:
    from seq2sum_serving.embedded.rpc.native_server import NativeServer

log = logging.getLogger(__name__)

AUTO, NATIVE, GRPCIO = GRPC_FRONTS
LIBRARY = "pygrpc_native"
INSTALL = "pip install 'seq2sum-serving[native]'"


def make_server(
    methods: Mapping[str, Method],
    config: ServerConfig,
    *,
    gate: Gate | None = None,
    first_handlers: Sequence[grpc.GenericRpcHandler] = (),
) -> GrpcServer | NativeServer:
    """Makes the server that `--grpc_front` asks for; the arguments are those of `GrpcServer`."""
    reason = "--grpc_front=grpcio" if config.grpc_front == GRPCIO else obstacle(config)
    if reason:
        log.info("gRPC is served by grpcio: %s", reason)
        return GrpcServer(methods, config, gate=gate, first_handlers=first_handlers)
    from seq2sum_serving.embedded.rpc.native_server import NativeServer  # an optional dependency

    log.info("gRPC is served by pygrpc-native")
    return NativeServer(methods, config, gate=gate, first_handlers=first_handlers)


def check(config: ServerConfig) -> None:
    """Checks that the native server can serve a configuration that asks for it.

    Raises:
        StartupError: It cannot.
    """
    reason = obstacle(config) if config.grpc_front == NATIVE else ""
    if reason:
        raise StartupError(
            Code.INVALID_ARGUMENT,
            f"--grpc_front=native is not possible: {reason}; leave it out, or use "
            "--grpc_front=grpcio",
        )


def obstacle(config: ServerConfig) -> str:
    """Returns why the native server cannot serve a configuration; empty if it can."""
    if config.ssl is not None:
        return "pygrpc-native has no TLS (--ssl_config_file)"
    if config.socket_path:
        return "pygrpc-native serves no UNIX socket (--grpc_socket_path)"
    if config.channel_arguments:
        return "pygrpc-native has no channel arguments (--grpc_channel_arguments)"
    if not config.port:
        return "pygrpc-native needs a port"
    if find_spec(LIBRARY) is None:
        return f"pygrpc-native is not installed ({INSTALL})"
    return ""
