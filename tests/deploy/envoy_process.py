"""A real Envoy with the configuration that is shipped, run by the script that is shipped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from deploy import envoy_configuration
from deploy.envoy_configuration import ADMIN, GRPC, METRICS, REPLICA
from support import servers
from support.commands import BIN
from support.paths import ROOT

START = ROOT / "serving" / "envoy" / "start.sh"
PROGRAM = BIN / "envoy"
DRAIN_SECONDS = 5
SECONDS_TO_START = SECONDS_TO_STOP = 30


@dataclass(frozen=True, slots=True)
class Host:
    """What Envoy knows of a replica."""

    address: str
    healthy: bool
    """Whether it gets calls, as far as health checks go."""
    ejected: bool
    """Whether outlier detection keeps calls away from it."""
    calls: int
    """Calls that it was given."""

    @property
    def serves(self) -> bool:
        return self.healthy and not self.ejected


class Envoy:
    """Started by `with`; ready then, and ended gently after.

    Args:
        folder: Where its configuration and its log go.
        replica_port: The port of every replica.
        name_server_port: Where a resolver knows `replica`.
        hurry: Whether waits of seconds are shortened.
    """

    def __init__(
        self, folder: Path, *, replica_port: int, name_server_port: int, hurry: bool = True
    ) -> None:
        self.ports = {name: servers.free_port() for name in (GRPC, METRICS, ADMIN)}
        self.log = folder / "envoy.log"
        config = envoy_configuration.adapted(
            ports=self.ports, replica_port=replica_port, name_server_port=name_server_port
        )
        if hurry:
            envoy_configuration.hurry(config)
        self._config = envoy_configuration.written(config, folder)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.ports[GRPC]}"

    def __enter__(self) -> Envoy:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["bash", START, self._config, "--log-level", "warning"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ
                | {
                    "ENVOY": str(PROGRAM),
                    "ADMIN_PORT": str(self.ports[ADMIN]),
                    "DRAIN_SECONDS": str(DRAIN_SECONDS),
                },
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while not self.ready:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Envoy did not start:\n{self.log.read_text()}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        deadline = time.monotonic() + SECONDS_TO_STOP
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "Envoy does not stop"
            self.process.send_signal(signal.SIGTERM)  # from the second on it waits for no call
            time.sleep(0.05)

    @property
    def ready(self) -> bool:
        try:
            return self.ask("/ready", METRICS) == "LIVE\n"
        except OSError:
            return False

    @property
    def listens(self) -> bool:
        """Whether it takes new connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports[GRPC])) == 0

    def ask(self, path: str, where: str = ADMIN, body: bytes | None = None) -> str:
        """What it says over HTTP, to a GET or, with a body, a POST."""
        url = f"http://127.0.0.1:{self.ports[where]}{path}"
        with urllib.request.urlopen(url, body, timeout=5) as answer:
            return answer.read().decode()

    def hosts(self) -> dict[str, Host]:
        """The replicas that it knows, by address."""
        [found] = [
            one
            for one in json.loads(self.ask("/clusters?format=json"))["cluster_statuses"]
            if one["name"] == REPLICA
        ]
        return {host.address: host for host in map(_host, found.get("host_statuses", ()))}

    def count(self, statistic: str) -> int:
        """A counter or a gauge of the replicas' cluster."""
        name = f"cluster.{REPLICA}.{statistic}"
        stats = json.loads(self.ask(f"/stats?format=json&filter=^{name}$"))["stats"]
        return sum(one.get("value", 0) for one in stats)

    def retries(self) -> int:
        """Further attempts that it made."""
        return self.count("upstream_rq_retry")

    def failures(self, **having: str) -> list[dict]:
        """The entries of the log of calls with these fields."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        entries = [entry for entry in map(json.loads, lines) if "method" in entry]
        return [entry for entry in entries if having.items() <= entry.items()]


def _host(told: dict) -> Host:
    status = told["health_status"]
    stats = {one["name"]: int(one.get("value", 0)) for one in told["stats"]}
    return Host(
        address=told["address"]["socket_address"]["address"],
        healthy=not status.get("failed_active_health_check", False),
        ejected=status.get("failed_outlier_check", False),
        calls=stats["rq_total"],
    )
