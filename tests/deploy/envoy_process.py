"""A real Envoy with the configuration and the start script that are shipped."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy import envoy_configuration
from deploy.envoy_configuration import ADMIN, METRICS, ROUTER, STABLE
from deploy.programs import Program
from support import servers
from support.commands import BIN
from support.paths import ROOT

START = ROOT / "serving" / "envoy" / "start.sh"
PROGRAM = BIN / "envoy"
DRAIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Host:
    """The state of a replica in Envoy."""

    address: str
    healthy: bool
    """False if active health checks fail."""
    ejected: bool
    """True while outlier detection ejects it."""
    calls: int
    """Number of calls sent to it."""

    @property
    def serves(self) -> bool:
        return self.healthy and not self.ejected


class Envoy(Program):
    """Envoy, which runs while a `with` block is open.

    Args:
        folder: For its configuration and its log.
        replica_port: The gRPC port of every replica.
        name_server_port: The port of a DNS server that resolves the names of the groups.
        rest_port: The REST port of every replica.
        short_intervals: Shortens intervals of seconds, so that tests wait less.
        configure: Changes the configuration further.
    """

    def __init__(
        self,
        folder: Path,
        *,
        replica_port: int,
        name_server_port: int,
        rest_port: int = 1,
        short_intervals: bool = True,
        configure: Callable[[dict], None] = lambda _: None,
    ) -> None:
        self.ports = {name: servers.free_port() for name in (ROUTER, METRICS, ADMIN)}
        self.routes = folder / "seq2sum.routes.json"
        """The routes file, which `EnvoyRouter` replaces."""
        copy = folder / "router" / "routes.json"
        config = envoy_configuration.adapted(
            ports=self.ports,
            replica_port=replica_port,
            rest_port=rest_port,
            name_server_port=name_server_port,
            routes=copy,
        )
        if short_intervals:
            envoy_configuration.shorten_intervals(config)
        configure(config)
        path = envoy_configuration.write(config, folder)
        super().__init__(
            *("bash", START, path, "--log-level", "warning"),
            log=folder / "envoy.log",
            environment={
                "ENVOY": PROGRAM,
                "ADMIN_PORT": self.ports[ADMIN],
                "ROUTES": self.routes,
                "ROUTES_COPY": copy,
                "DRAIN_SECONDS": DRAIN_SECONDS,
            },
        )

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.ports[ROUTER]}"

    @property
    def metrics(self) -> str:
        """The address of its metrics, which `EnvoyRouter` asks for the routes in force."""
        return f"127.0.0.1:{self.ports[METRICS]}"

    @property
    def is_ready(self) -> bool:
        try:
            return self.http("/ready", METRICS) == "LIVE\n"
        except OSError:
            return False

    @property
    def is_listening(self) -> bool:
        """True while it accepts new connections."""
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self.ports[ROUTER])) == 0

    def http(self, path: str, listener: str = ADMIN, body: bytes | None = None) -> str:
        """Returns the reply to a GET or, with a body, to a POST."""
        url = f"http://127.0.0.1:{self.ports[listener]}{path}"
        with urllib.request.urlopen(url, body, timeout=5) as reply:
            return reply.read().decode()

    def hosts(self, cluster: str = STABLE) -> dict[str, Host]:
        """Returns the replicas of a group by address."""
        [status] = [
            each
            for each in json.loads(self.http("/clusters?format=json"))["cluster_statuses"]
            if each["name"] == cluster
        ]
        return {host.address: host for host in map(_host, status.get("host_statuses", ()))}

    def serving(self, cluster: str = STABLE) -> set[str]:
        """Returns the addresses of the replicas of a group that get calls."""
        return {address for address, host in self.hosts(cluster).items() if host.serves}

    def calls(self) -> int:
        """Returns the number of calls to all replicas of the stable group."""
        return sum(host.calls for host in self.hosts().values())

    def statistic(self, name: str, cluster: str = STABLE) -> int:
        """Returns a counter or a gauge of a cluster."""
        path = f"/stats?format=json&filter=^cluster.{cluster}.{name}$"
        return sum(each.get("value", 0) for each in json.loads(self.http(path))["stats"])

    def retries(self) -> int:
        """Returns the number of retries."""
        return self.statistic("upstream_rq_retry")

    def log_entries(self, **fields: str) -> list[dict]:
        """Returns the entries of the access log with these fields."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        entries = [entry for entry in map(json.loads, lines) if "method" in entry]
        return [entry for entry in entries if fields.items() <= entry.items()]


def _host(status: dict) -> Host:
    health = status["health_status"]
    return Host(
        address=status["address"]["socket_address"]["address"],
        healthy=not health.get("failed_active_health_check", False),
        ejected=health.get("failed_outlier_check", False),
        calls=next(
            int(each.get("value", 0)) for each in status["stats"] if each["name"] == "rq_total"
        ),
    )
