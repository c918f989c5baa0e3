"""Embedded servers as replicas behind a host name.

Each serves the same model under a different version, so that an answer identifies its replica.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from deploy.loopback_servers import LoopbackServer
from support import servers
from support.dns_server import NameServer

FLAGS = (
    "--enable_grpc_healthcheck_service=true",
    "--grpc_max_threads=256",
    # Connections are closed every 1.5 s; in production, every minute.
    "--grpc_channel_arguments=grpc.max_connection_age_ms=1500,grpc.max_connection_age_grace_ms=30000,grpc.http2.max_ping_strikes=0",
)
DNS_TTL = 600
"""Seconds, as in the replies of Docker's resolver.

A client that respects this TTL calls dead addresses for up to ten minutes.
"""


def docker_name_server(hosts: Iterable[str], candidates: Iterable[str] = ()) -> NameServer:
    """Returns a DNS server that answers as Docker's does: with all addresses of a group.

    Args:
        hosts: The stable group.
        candidates: The candidate group; by default its name does not resolve.
    """
    server = NameServer(hosts, name="seq2sum-serving", ttl=DNS_TTL)
    if candidates:
        server.names.others["seq2sum-candidate"] = list(candidates)
    return server


class Replica:
    """A server that can be killed and started again on its address.

    Args:
        number: Its version, and the last part of its address.
        port: The gRPC port of all replicas.
        rest_port: The REST port of all replicas; 0 for none.
        folder: For its model and its log.
        version: A version directory, which is copied.
    """

    def __init__(
        self, number: int, *, port: int, rest_port: int, folder: Path, version: Path
    ) -> None:
        self.host = f"127.0.0.{number}"
        self.server: LoopbackServer | None = None
        self._port, self._rest_port = port, rest_port
        self._folder = folder / str(number)
        self._base = self._folder / "seq2sum"
        shutil.copytree(version, self._base / str(number))

    @property
    def is_running(self) -> bool:
        return self.server is not None and self.server.is_running

    def start(self) -> None:
        """Starts it, without waiting for it."""
        flags = [*FLAGS, f"--rest_api_port={self._rest_port}"]
        self.server = LoopbackServer.launch_on(
            self.host, self._base, self._folder, port=self._port, flags=flags
        )
        self.server.rest_port = self._rest_port

    def kill(self) -> None:
        """Kills it, which cuts calls in flight."""
        assert self.server is not None
        self.server.kill()


class Replicas:
    """Several replicas by number, which are killed at the end of a `with` block."""

    def __init__(
        self, numbers: Iterable[int], *, folder: Path, version: Path, rest: bool = False
    ) -> None:
        self.port = servers.free_port()
        self.rest_port = servers.free_port() if rest else 0
        self._all = {
            number: Replica(
                number, port=self.port, rest_port=self.rest_port, folder=folder, version=version
            )
            for number in numbers
        }

    def __getitem__(self, number: int) -> Replica:
        return self._all[number]

    def hosts(self, *numbers: int) -> list[str]:
        """Returns the addresses of some replicas."""
        return [self._all[number].host for number in numbers]

    def run(self, *numbers: int) -> None:
        """Starts those that are not running, and waits until they are open."""
        missing = [self._all[number] for number in numbers if not self._all[number].is_running]
        for replica in missing:
            replica.start()
        for replica in missing:
            replica.server.wait_until_open()

    def __enter__(self) -> Replicas:
        return self

    def __exit__(self, *_: object) -> None:
        for replica in self._all.values():
            if replica.is_running:
                replica.kill()
