"""The port that a server listens on."""

from __future__ import annotations

import socket

from seq2sum_serving.embedded.errors import Code, StartupError


def check_port(host: str, port: int) -> None:
    """Raises StartupError if the port is taken, before anything is loaded."""
    try:
        with socket.create_server((host, port), backlog=1):
            pass
    except OSError as error:
        raise port_in_use(host, port) from error


def port_in_use(host: str, port: int) -> StartupError:
    """The error for a port that cannot be opened."""
    return StartupError(
        Code.UNAVAILABLE,
        f"cannot listen on {host}:{port}: stop what uses the port, or choose another with --port",
    )
