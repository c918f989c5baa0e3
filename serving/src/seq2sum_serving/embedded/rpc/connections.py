"""The sockets of the gRPC servers, found among those of this process.

gRPC's libraries cannot end connections as a graceful stop needs it: see "Two gRPC servers" in
docs/design-notes.md.
"""

from __future__ import annotations

import array
import fcntl
import os
import socket
import termios
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

FOLDER = Path("/dev/fd")
"""Lists the open files of the process that reads it, on Linux and macOS."""
POLL_SECONDS = 0.05


def end_writing(port: int, socket_path: str, *, keep: Collection[str] = ()) -> None:
    """Shuts down the sending side of all connections to a port or a UNIX socket of this process.

    A client reads what was sent before, then the end of the connection, and fails its other calls
    with UNAVAILABLE. gRPC's own shutdown also ends the connections, but first it fails calls that
    it has accepted and not yet handed over with CANCELLED (`KillZombie` in grpc's
    src/core/server/server.cc), which no client retries.

    Args:
        port: The port; 0: no port.
        socket_path: Path of the UNIX socket; empty: no socket.
        keep: Peers, as gRPC writes them, whose connections stay as they are.
    """
    for connection in _connections(port, socket_path):
        with suppress(OSError):  # just closed
            if not keep or peer(connection) not in keep:
                connection.shutdown(socket.SHUT_WR)


def stop_listening(port: int) -> None:
    """Makes the system refuse new connections to a port of this process, on Linux."""
    for found in _sockets():
        with found, suppress(OSError):
            listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            if listens and found.getsockname()[1] == port:
                found.shutdown(socket.SHUT_RDWR)


def wait_until_sent(port: int, deadline: float) -> None:
    """Waits until the connections to a port send no more, or a time of `time.monotonic`."""
    before: dict[str, int] | None = None
    while time.monotonic() < deadline:
        unsent = {}
        for connection in _connections(port, ""):
            with suppress(OSError):  # just closed
                unsent[peer(connection)] = _unsent(connection)
        if not any(unsent.values()) and unsent == before:
            return
        before = unsent
        time.sleep(POLL_SECONDS)


def peer(connection: socket.socket) -> str:
    """Returns a peer as gRPC writes it, such as `ipv4:127.0.0.1:50051`."""
    name = connection.getpeername()
    if connection.family == socket.AF_INET6:
        return f"ipv6:[{name[0]}]:{name[1]}"
    return f"ipv4:{name[0]}:{name[1]}" if connection.family == socket.AF_INET else "unix:"


def _unsent(connection: socket.socket) -> int:
    """Returns the bytes that the peer has not acknowledged."""
    number = array.array("i", [0])
    fcntl.ioctl(connection, termios.TIOCOUTQ, number)
    return number[0]


def _connections(port: int, socket_path: str) -> Iterator[socket.socket]:
    for connection in _sockets():
        with connection, suppress(OSError):  # just closed
            if _is_ours(connection, port, socket_path):
                yield connection


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
