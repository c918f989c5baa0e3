"""Ports that are taken before anything is loaded, and opened afterwards."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.ports import address, cannot_listen, check_port, check_socket


@contextmanager
def reserved(config: ServerConfig) -> Iterator[None]:
    """Holds the ports of a server, closed, while its models load.

    A second server with one of the same ports fails when it starts, not when it has loaded.
    The gRPC port of several processes is only checked: they hold it themselves.

    Raises:
        StartupError: A port or a UNIX socket cannot be opened.
    """
    with ExitStack() as held:
        if config.port and config.processes > 1:
            check_port(config.host, config.port)
        elif config.port:
            held.callback(Reservation(config.host, config.port).close)
        if config.rest_port and not config.monitoring_broken:
            rest = Reservation(config.host, config.rest_port, flag="rest_api_port")
            held.callback(rest.close)
        if config.socket_path:
            check_socket(config.socket_path)
        yield


class Reservation:
    """Holds a port without listening on it.

    Sockets that share a port (SO_REUSEPORT) look only at each other: a second server that also
    shares would take part of the calls. So the port is taken alone first, as every check of
    ours for a taken port takes it, and shared afterwards with the processes of this server.
    """

    def __init__(self, host: str, port: int, *, flag: str = "port") -> None:
        """Takes the port.

        Args:
            host: Address of the port.
            port: Its number.
            flag: Name of the flag that chose it.

        Raises:
            StartupError: Somebody has it.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=1)
            # Whoever connects is refused until somebody serves; the port stays bound, and
            # refuses all others who would bind it.
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        except OSError as error:
            raise cannot_listen(address(host, port), error, flag=flag) from error

    def share(self) -> None:
        """Lets sockets of this user that share it open the port."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)

    def close(self) -> None:
        """Gives the port back."""
        self._socket.close()
