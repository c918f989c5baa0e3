"""The open connections of the gRPC server, found among the sockets of this process."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path("/dev/fd")
"""Lists the open files of the process that reads it, on Linux and macOS."""


def end_writing(port: int, socket_path: str) -> None:
    """Shuts down the sending side of all connections to a port or a UNIX socket of this process.

    A client reads what was sent before, then the end of the connection, and fails its other calls
    with UNAVAILABLE. gRPC's own shutdown also ends the connections, but first it fails calls that
    it has accepted and not yet handed over with CANCELLED (`KillZombie` in grpc's
    src/core/server/server.cc), which no client retries.

    Args:
        port: The port; 0: no port.
        socket_path: Path of the UNIX socket; empty: no socket.
    """
    for connection in _sockets():
        with connection:
            try:
                if _is_ours(connection, port, socket_path):
                    connection.shutdown(socket.SHUT_WR)
            except OSError:  # just closed
                continue


def _is_ours(found: socket.socket, port: int, socket_path: str) -> bool:
    if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return False  # a listening socket
    name = found.getsockname()
    if found.family in (socket.AF_INET, socket.AF_INET6):
        return bool(name[1] == port)
    return found.family == socket.AF_UNIX and bool(socket_path) and name == socket_path


def _sockets() -> Iterator[socket.socket]:
    """Yields duplicates of all sockets of this process."""
    for number in [int(entry.name) for entry in FOLDER.iterdir()] if FOLDER.is_dir() else []:
        try:
            copy = os.dup(number)
        except OSError:  # just closed
            continue
        try:
            found = socket.socket(fileno=copy)
        except OSError:  # another kind of file
            os.close(copy)
            continue
        yield found
