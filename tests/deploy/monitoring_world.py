"""Servers of the model under the eyes of Prometheus, the probe and Envoy, all of them real."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import seq2sum
from deploy import monitoring_files as files
from deploy.balancing_names import NameServer
from deploy.envoy_process import Envoy
from deploy.prometheus_process import PrometheusProcess, Target
from support import servers
from support.deployed import FLAGS, POLLING, Deployed

PROBE = (sys.executable, "-m", "seq2sum_serving.probe.cli")
SECONDS_TO_STOP = 10
SEEN_BEFORE = 3000
"""Milliseconds that Prometheus has watched before anything happens: so it knows what is new."""
MODEL = "seq2sum"
BATCHING = """\
# Quickly full: a batch is computed, one waits, and who comes then is refused.
max_batch_size { value: 2048 }
batch_timeout_micros { value: 0 }
max_enqueued_batches { value: 1 }
num_batch_threads { value: 1 }
"""


@dataclass
class Replica(servers.Server):
    """A server on a loopback address of its own: all have the same ports, as in production."""

    host: str = "127.0.0.1"

    @property
    def target(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.rest_port}"

    def is_open(self) -> bool:
        for port in (self.port, self.rest_port):
            with socket.socket() as probe:
                probe.settimeout(0.5)
                if probe.connect_ex((self.host, port)) != 0:
                    return False
        return True


class World:
    """Used by `with`: then servers serve, Envoy balances, and Prometheus watches.

    Args:
        folder: An empty one, for everything.
        good: The folder of the first version.
        every: Seconds between two scrapes.
        replicas: How many servers.
        batching: The parameters of their batching.
    """

    def __init__(
        self, folder: Path, good: Path, *, every: float, replicas: int = 1, batching: str = BATCHING
    ) -> None:
        self.every = every
        self.deployed = Deployed(folder, good)
        self._folder = folder
        self._replicas = replicas
        self._batching = folder / "batching.config"
        self._batching.write_text(batching)
        self._probe_port = servers.free_port()
        self._ends = ExitStack()

    def __enter__(self) -> World:
        try:
            self._start()
        except BaseException:
            self._ends.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def _start(self) -> None:
        self._ends.enter_context(self.deployed)
        port, rest_port = servers.free_port(), servers.free_port()
        hosts = [f"127.0.0.{number}" for number in range(1, self._replicas + 1)]
        for host in hosts:
            self.deployed.servers.append(self._launched(host, port, rest_port))
        names = self._ends.enter_context(NameServer(hosts))
        self.envoy = self._ends.enter_context(
            Envoy(self._folder, replica_port=port, name_server_port=names.port)
        )
        targets = {
            "serving": [Target(f"{host}:{rest_port}", f"{host}:{port}") for host in hosts],
            "probe": [Target(f"127.0.0.1:{self._probe_port}")],
            "envoy": [Target(f"127.0.0.1:{self.envoy.ports['metrics']}")],
        }
        self.prometheus = self._ends.enter_context(
            PrometheusProcess(self._folder, targets, every=self.every)
        )
        for server in self.deployed.servers:
            server.wait_until_open()
        seen = f'sum(up{{replica!=""}} offset {SEEN_BEFORE:.0f}ms) == {len(hosts)}'
        self.prometheus.until(seen)

    def _launched(self, host: str, port: int, rest_port: int) -> Replica:
        folder = self._folder / host
        folder.mkdir(exist_ok=True)
        flags = (
            *FLAGS,
            POLLING,
            f"--host={host}",
            f"--rest_api_port={rest_port}",
            f"--monitoring_config_file={files.ROOT / 'serving/config/monitoring.config'}",
            "--enable_batching=true",
            f"--batching_parameters_file={self._batching}",
            "--enable_grpc_healthcheck_service=true",
        )
        server = Replica.launch(
            None, folder, config=self.deployed.config, flags=flags, port=port, forked=True
        )
        server.host, server.rest_port = host, rest_port
        return server

    def kill(self, place: int) -> None:
        """Ends a server as a power cut would."""
        process = self.deployed.servers[place].process
        process.kill()
        process.wait(SECONDS_TO_STOP)

    def start_again(self, place: int) -> None:
        """Starts one that has ended on its old ports; returns when it serves."""
        old = self.deployed.servers[place]
        self.deployed.servers[place] = self._launched(old.host, old.port, old.rest_port)
        self.deployed.servers[place].wait_until_open()

    def watch(self, every: float, *more: str) -> None:
        """Starts the probe; returns when Prometheus has its first round."""
        where = ["--config", self.deployed.config, "--targets", self.deployed.targets]
        line = [*PROBE, *where, "--port", self._probe_port, "--interval", every, *more]
        with (self._folder / "probe.log").open("wb") as log:
            probe = subprocess.Popen(
                list(map(str, line)), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._ends.callback(_stop, probe)
        self.prometheus.until("seq2sum_probe_last_round_duration_seconds > 0")

    def overload(self, seconds_each: float = 30) -> dict[str, int]:
        """Calls that come all at once, of as many questions as a batch takes; how they ended.

        Args:
            seconds_each: What a caller waits.
        """
        callers = 24

        def ask(client: seq2sum.Client) -> str:
            try:
                client.add_many(["1+2"] * 2048)
            except seq2sum.Seq2SumError as error:
                return type(error).__name__
            return "OK"

        with (
            seq2sum.Client(
                self.deployed.servers[0].target,
                retry=seq2sum.Retry(attempts=1),
                timeout=seconds_each,
            ) as client,
            ThreadPoolExecutor(callers) as pool,
        ):
            ended = list(pool.map(ask, [client] * callers))
        return {how: ended.count(how) for how in sorted(set(ended))}


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
