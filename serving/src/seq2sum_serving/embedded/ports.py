"""The addresses that a server listens on: checked or reserved before any model is loaded."""

from __future__ import annotations

import errno
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.errors import Code, StartupError


@contextmanager
def reserved(config: ServerConfig) -> Iterator[None]:
    """Reserves the ports of a server while its models load.

    A second server on one of these ports fails when it starts, not after loading its models.

    Raises:
        StartupError: A port or a UNIX socket cannot be opened.
    """
    with ExitStack() as held:
        if config.port:
            held.enter_context(_reserve(config.host, config.port, flag="port"))
        if config.rest_port and not config.monitoring_error:
            held.enter_context(_reserve(config.host, config.rest_port, flag="rest_api_port"))
        if config.socket_path:
            check_socket(config.socket_path)
        yield


def _reserve(host: str, port: int, *, flag: str) -> socket.socket:
    """Binds a port without listening on it, until the result is closed.

    Args:
        host: Address of the port.
        port: Its number.
        flag: Name of the flag that sets it, for the error message.

    Raises:
        StartupError: The port is in use.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        if sys.platform == "linux":  # which lets servers that set SO_REUSEADDR bind the same port
            bound.listen(1)
            # The port stays bound, but refuses connections. (On macOS, this is ENOTCONN.)
            bound.shutdown(socket.SHUT_RDWR)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError as error:
        bound.close()
        raise cannot_listen(address(host, port), error, flag=flag) from error
    return bound


def check_socket(path: str) -> None:
    """Checks that a UNIX socket can be opened; a stale one left by a killed server is fine.

    gRPC itself would silently take the path over from a server that listens there.

    Raises:
        StartupError: A server listens on the path, or no socket can be made there.
    """
    file = Path(path)
    try:
        if file.exists() and not stat.S_ISSOCK(file.stat().st_mode):
            raise FileExistsError(errno.EEXIST, "a file that is not a socket exists at this path")
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path) == 0:
                raise OSError(errno.EADDRINUSE, "")
        if not file.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "the folder does not exist")
    except OSError as error:
        raise cannot_listen(path, error, flag="grpc_socket_path") from error


def address(host: str, port: int) -> str:
    """Returns host and port as gRPC writes them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def cannot_listen(where: str, error: Exception, *, flag: str) -> StartupError:
    """Returns the error for an address that cannot be opened."""
    reason = f"cannot listen on {where}"
    if isinstance(error, OSError) and error.errno != errno.EADDRINUSE:
        return StartupError(Code.UNAVAILABLE, f"{reason}: {error.strerror or error}")
    return StartupError(
        Code.UNAVAILABLE,
        f"{reason}: stop what uses it, or choose another with --{flag}",
    )
