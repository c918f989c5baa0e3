"""The address that a server listens on."""

from __future__ import annotations

import errno
import socket

from seq2sum_serving.embedded.errors import Code, StartupError


def address(host: str, port: int) -> str:
    """Host and port as gRPC writes them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_port(host: str, port: int) -> None:
    """Raises StartupError if the port cannot be opened, before anything is loaded."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family, backlog=1):
            pass
    except OSError as error:
        raise cannot_listen(host, port, error) from error


def cannot_listen(host: str, port: int, error: Exception) -> StartupError:
    """The error for a port that cannot be opened."""
    reason = f"cannot listen on {address(host, port)}"
    if isinstance(error, OSError) and error.errno != errno.EADDRINUSE:
        return StartupError(Code.UNAVAILABLE, f"{reason}: {error.strerror}")
    return StartupError(
        Code.UNAVAILABLE,
        f"{reason}: stop what uses the port, or choose another with --port",
    )
