"""The addresses that a server listens on: whether they are free, before anything is loaded."""

from __future__ import annotations

import errno
import socket
import stat
from pathlib import Path

from seq2sum_serving.embedded.errors import Code, StartupError


def address(host: str, port: int) -> str:
    """Host and port as gRPC writes them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_port(host: str, port: int) -> None:
    """Raises StartupError if the port cannot be opened."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family, backlog=1):
            pass
    except OSError as error:
        raise cannot_listen(address(host, port), error, flag="port") from error


def check_socket(path: str) -> None:
    """Raises StartupError if somebody listens on the UNIX socket, or it cannot be made.

    gRPC itself would take the path from whoever listens there. One that a server left behind
    when it was killed is no obstacle.
    """
    file = Path(path)
    try:
        if file.exists() and not stat.S_ISSOCK(file.stat().st_mode):
            raise FileExistsError(errno.EEXIST, "it is there, and no socket")
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path) == 0:
                raise OSError(errno.EADDRINUSE, "")
        if not file.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, "there is no such folder")
    except OSError as error:
        raise cannot_listen(path, error, flag="grpc_socket_path") from error


def cannot_listen(where: str, error: Exception, *, flag: str) -> StartupError:
    """The error for an address that cannot be opened."""
    reason = f"cannot listen on {where}"
    if isinstance(error, OSError) and error.errno != errno.EADDRINUSE:
        return StartupError(Code.UNAVAILABLE, f"{reason}: {error.strerror or error}")
    return StartupError(
        Code.UNAVAILABLE,
        f"{reason}: stop what uses it, or choose another with --{flag}",
    )
