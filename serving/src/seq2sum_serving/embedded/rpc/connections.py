"""The open connections of the gRPC server, as the sockets of this process."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path("/dev/fd")
"""Lists the open files of the process that looks, on Linux and macOS."""


def end_writing(port: int, socket_path: str) -> None:
    """Ends our side of every connection to a port or a UNIX socket of this process.

    A client reads what was written before, then the end of the connection, and counts whatever
    it still waits for as UNAVAILABLE. gRPC's own shutdown also ends the connections, but it
    first answers calls that it has accepted and not yet handed over with CANCELLED (`KillZombie`
    in grpc's src/core/server/server.cc), and no client retries those.

    Args:
        port: The port; 0: none.
        socket_path: Path of the UNIX socket; empty: none.
    """
    for connection in _sockets():
        with connection:
            try:
                if _is_ours(connection, port, socket_path):
                    connection.shutdown(socket.SHUT_WR)
            except OSError:  # closed meanwhile
                continue


def _is_ours(found: socket.socket, port: int, socket_path: str) -> bool:
    if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return False  # it listens
    name = found.getsockname()
    if found.family in (socket.AF_INET, socket.AF_INET6):
        return bool(name[1] == port)
    return found.family == socket.AF_UNIX and bool(socket_path) and name == socket_path


def _sockets() -> Iterator[socket.socket]:
    """Copies of all sockets of this process."""
    for number in [int(entry.name) for entry in FOLDER.iterdir()] if FOLDER.is_dir() else []:
        try:
            copy = os.dup(number)
        except OSError:  # closed meanwhile
            continue
        try:
            found = socket.socket(fileno=copy)
        except OSError:  # another kind of file
            os.close(copy)
            continue
        yield found
