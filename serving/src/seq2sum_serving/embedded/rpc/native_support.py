"""Whether the native gRPC server can serve a configuration. Loads neither gRPC nor TensorFlow."""

from __future__ import annotations

import sys
from importlib import import_module
from ipaddress import ip_address

from seq2sum_serving.embedded.config import GRPC_FRONTS, ServerConfig
from seq2sum_serving.embedded.errors import Code, StartupError

AUTO, NATIVE, GRPCIO = GRPC_FRONTS
LIBRARY = "pygrpc_native"
INSTALL = "pip install 'seq2sum-serving[native]'"


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
    if not _is_address(config.host):
        return "pygrpc-native listens on one IP address (--host)"
    if not sys.platform.startswith("linux"):
        return "the graceful stop of pygrpc-native needs Linux"
    try:
        import_module(LIBRARY)
    except ImportError:
        return f"pygrpc-native is not installed ({INSTALL})"
    return ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
