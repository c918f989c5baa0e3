"""Chooses the gRPC server: the native one where it can do everything that the flags ask for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.rpc.grpc_server import GrpcServer
from seq2sum_serving.embedded.rpc.handlers import Method
from seq2sum_serving.embedded.rpc.native_support import GRPCIO, obstacle

if TYPE_CHECKING:
    from seq2sum_serving.embedded.rpc.native_server import NativeServer

log = logging.getLogger(__name__)


def make_server(methods: Mapping[str, Method], config: ServerConfig) -> GrpcServer | NativeServer:
    """Makes the server that `--grpc_front` asks for; the arguments are those of `GrpcServer`."""
    reason = "--grpc_front=grpcio" if config.grpc_front == GRPCIO else obstacle(config)
    if reason:
        log.info("gRPC is served by grpcio: %s", reason)
        return GrpcServer(methods, config)
    from seq2sum_serving.embedded.rpc.native_server import NativeServer  # an optional dependency

    log.info("gRPC is served by pygrpc-native")
    return NativeServer(methods, config)
