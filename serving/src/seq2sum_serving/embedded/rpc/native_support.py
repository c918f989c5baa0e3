"""Whether the native gRPC server can serve a configuration. Loads neither gRPC nor TensorFlow."""

from __future__ import annotations

from importlib.util import find_spec

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
    if find_spec(LIBRARY) is None:
        return f"pygrpc-native is not installed ({INSTALL})"
    return ""
