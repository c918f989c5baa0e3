"""The addresses that a server listens on: checked or reserved before any model is loaded."""

from __future__ import annotations

import errno
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.errors import Code, StartupError


@contextmanager
def reserved(config: ServerConfig) -> Iterator[None]:
    """Reserves the ports of a server while its models load.

    A second server on one of these ports fails when it starts, not after loading its models.
    With several processes the gRPC port is only checked here: their `WorkerPool` reserves it.

    Raises:
        StartupError: A port or a UNIX socket cannot be opened.
    """
    with ExitStack() as held:
        if config.port and config.processes > 1:
            PortReservation(config.host, config.port).close()
        elif config.port:
            held.callback(PortReservation(config.host, config.port).close)
        if config.rest_port and not config.monitoring_error:
            rest = PortReservation(config.host, config.rest_port, flag="rest_api_port")
            held.callback(rest.close)
        if config.socket_path:
            check_socket(config.socket_path)
        yield


class PortReservation:
    """Binds a port without listening on it.

    Sockets that share a port (SO_REUSEPORT) are only compared with each other: a second server
    that also shares the port would receive part of the calls. So the port is first bound
    exclusively, which conflicts with every other server, and then shared with our own processes.
    """

    def __init__(self, host: str, port: int, *, flag: str = "port") -> None:
        """Binds the port.

        Args:
            host: Address of the port.
            port: Its number.
            flag: Name of the flag that sets it, for the error message.

        Raises:
            StartupError: The port is in use.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=1)
            # The port stays bound, but connections are refused until a server listens.
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        except OSError as error:
            raise cannot_listen(address(host, port), error, flag=flag) from error

    def share(self) -> None:
        """Lets other SO_REUSEPORT sockets of this user open the port."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)

    def close(self) -> None:
        """Releases the port."""
        self._socket.close()


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
