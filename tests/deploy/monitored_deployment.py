"""A deployment with Prometheus, the probe and Envoy, all of them real."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import seq2sum
from deploy.balancing_replicas import docker_name_server
from deploy.envoy_process import Envoy
from deploy.loopback_servers import LoopbackServer
from deploy.programs import Program
from deploy.prometheus_process import PrometheusProcess, Target
from support import servers
from support.deployed import FLAGS, POLLING, Deployed
from support.paths import ROOT

PROBE = (sys.executable, "-m", "seq2sum_serving.probe.cli")
MODEL = "seq2sum"
HISTORY_MILLISECONDS = 3000
"""Time that Prometheus scrapes before the test starts, so that later series are seen as new."""
BATCHING = """\
# A queue that is soon full: one batch is computed, one waits, and further calls are rejected.
max_batch_size { value: 2048 }
batch_timeout_micros { value: 0 }
max_enqueued_batches { value: 1 }
num_batch_threads { value: 1 }
"""


class MonitoredDeployment:
    """A server behind Envoy, scraped by Prometheus while a `with` block is open.

    Args:
        folder: An empty folder for all files.
        version: The folder of the first version.
        interval: Seconds between scrapes.
    """

    def __init__(self, folder: Path, version: Path, *, interval: float) -> None:
        self.deployed = Deployed(folder, version)
        self._folder = folder
        self._interval = interval
        self._batching = folder / "batching.config"
        self._batching.write_text(BATCHING)
        self._probe_port = servers.free_port()
        self._stack = ExitStack()

    @property
    def server(self) -> servers.Server:
        return self.deployed.servers[0]

    def __enter__(self) -> MonitoredDeployment:
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        stack.enter_context(self.deployed)
        server = self._launch_server()
        self.deployed.servers.append(server)
        names = stack.enter_context(docker_name_server([server.host]))
        self.envoy = stack.enter_context(
            Envoy(self._folder, replica_port=server.port, name_server_port=names.port)
        )
        targets = {
            "serving": [Target(server.url.removeprefix("http://"), server.target)],
            "probe": [Target(f"127.0.0.1:{self._probe_port}")],
            "router": [Target(f"127.0.0.1:{self.envoy.ports['metrics']}")],
        }
        self.prometheus = stack.enter_context(
            PrometheusProcess(self._folder, targets, interval=self._interval)
        )
        server.wait_until_open()
        self.prometheus.until(f'sum(up{{replica!=""}} offset {HISTORY_MILLISECONDS}ms) == 1')

    def _launch_server(self) -> LoopbackServer:
        rest_port = servers.free_port()
        flags = (
            *FLAGS,
            POLLING,
            f"--rest_api_port={rest_port}",
            f"--monitoring_config_file={ROOT / 'serving/config/monitoring.config'}",
            "--enable_batching=true",
            f"--batching_parameters_file={self._batching}",
            "--enable_grpc_healthcheck_service=true",
        )
        server = LoopbackServer.launch_on(
            "127.0.0.1", None, self._folder / "server", config=self.deployed.config, flags=flags
        )
        server.rest_port = rest_port
        return server

    def start_probe(self, interval: float) -> None:
        """Starts the probe, and waits until Prometheus has scraped its first round."""
        options = ["--config", self.deployed.config, "--targets", self.deployed.targets]
        options += ["--port", self._probe_port, "--interval", interval]
        probe = Program(*PROBE, *options, log=self._folder / "probe.log")
        self._stack.enter_context(probe)
        self.prometheus.until("seq2sum_probe_last_round_duration_seconds > 0")

    def overload(self) -> set[str]:
        """Makes concurrent calls of full batches, and returns their results: OK or an exception."""
        callers = 24

        def call(client: seq2sum.Client) -> str:
            try:
                client.add_many(["1+2"] * 2048)
            except seq2sum.Seq2SumError as error:
                return type(error).__name__
            return "OK"

        retry = seq2sum.Retry(max_attempts=1)
        with (
            seq2sum.Client(self.server.target, retry=retry, timeout=30) as client,
            ThreadPoolExecutor(callers) as pool,
        ):
            return set(pool.map(call, [client] * callers))
