"""A port that several processes of one server open, and nobody else."""

from __future__ import annotations

import socket

from seq2sum_serving.embedded.ports import address, cannot_listen


class Reservation:
    """Holds a port from before the first load to the end.

    Sockets that share a port (SO_REUSEPORT) look only at each other: a second server that also
    shares would take part of the calls. So the port is taken alone first, as every check of
    ours for a taken port takes it, and shared afterwards with the processes of this server.
    """

    def __init__(self, host: str, port: int) -> None:
        """Takes the port.

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
            raise cannot_listen(address(host, port), error, flag="port") from error

    def share(self) -> None:
        """Lets sockets of this user that share it open the port."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)

    def close(self) -> None:
        """Gives the port back."""
        self._socket.close()
