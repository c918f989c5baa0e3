"""Two stable servers, a candidate server and Envoy, and the rollout command that changes them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.balancing_replicas import docker_name_server
from deploy.envoy_configuration import CANDIDATE, REST, STABLE
from deploy.envoy_process import Envoy
from deploy.loopback_servers import LoopbackServer
from seq2sum_serving.deployment import cli_options, replicas
from seq2sum_serving.deployment.event_log import Event
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.rollout import cli
from support import deployed, servers

from benchmarks.rollout.history import POLL_SECONDS, HistoryTail

STABLE_HOSTS, CANDIDATE_HOST = ("127.0.0.2", "127.0.0.3"), "127.0.0.4"
TIMEOUT = 300
"""Seconds after which a command is considered to hang."""
PROGRAM = f"""\
import sys
import {replicas.__name__} as replicas
from {cli.__name__} import main
replicas.CALL_SECONDS = {deployed.TIMEOUT}  # all processes share a few cores
sys.exit(main())
"""
COMMAND = (sys.executable, "-c", PROGRAM)
FLAGS = (
    *deployed.FLAGS,
    deployed.POLLING,
    # As in docker-compose.yml, for Envoy.
    "--enable_grpc_healthcheck_service=true",
    "--grpc_channel_arguments=grpc.max_connection_age_ms=60000,grpc.max_connection_age_grace_ms=30000,grpc.http2.max_ping_strikes=0",
)
CONFIG = """\
# {group} reads this file.
model_config_list {{
  config {{
    name: "seq2sum"
    base_path: "{base}"
    model_platform: "tensorflow"
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a rollout command."""

    exit_code: int
    """Negative if it was killed."""
    output: Mapping[str, Any]
    """The JSON that it printed."""
    start: float
    """Seconds since 1970."""
    end: float

    @property
    def killed(self) -> bool:
        """Whether it was killed."""
        return self.exit_code < 0

    @property
    def seconds(self) -> float:
        """Its duration, with the start of its process."""
        return self.end - self.start

    @property
    def error(self) -> str:
        """The error message; empty if the command succeeded."""
        return str(self.output.get("error", ""))


Watch = Callable[[Event, "subprocess.Popen[str]"], object]
"""Gets each event of a command as soon as it is in the history, and the command's process."""


@dataclass(slots=True)
class Deployment:
    """Two groups of servers, each with its model config file, and Envoy in front of them."""

    folder: Path
    """Contains the model config files, versions, history, routes and logs."""
    router: Envoy
    ports: tuple[int, int]
    """The gRPC and the REST port of every server."""
    stable: list[LoopbackServer] = field(default_factory=list)
    candidate: LoopbackServer | None = None

    @property
    def config(self) -> Path:
        """The model config file of the stable group; the other one is next to it."""
        return self.folder / "models.config"

    @property
    def targets(self) -> str:
        """The addresses of the stable group."""
        return ",".join(server.target for server in self.stable)

    @property
    def history(self) -> Path:
        """The history."""
        return ModelConfigFile(self.config, "seq2sum").model_file(cli_options.HISTORY)

    def events(self) -> list[Event]:
        """Returns the history so far."""
        return HistoryTail(self.history).new()

    def start_server(self, host: str, config: Path) -> LoopbackServer:
        """Starts a server, without waiting for it."""
        port, rest_port = self.ports
        flags = [*FLAGS, f"--rest_api_port={rest_port}"]
        folder = self.folder / host
        server = LoopbackServer.launch_on(host, None, folder, config=config, port=port, flags=flags)
        server.rest_port = rest_port
        return server

    def start_candidate(self) -> None:
        """Starts or restarts the candidate server; waits until Envoy reports it as healthy."""
        config = self.config.with_name(cli_options.CANDIDATE_CONFIG)
        self.candidate = self.start_server(CANDIDATE_HOST, config)
        self.candidate.wait_until_open()
        clusters = CANDIDATE, REST[CANDIDATE]
        deployed.until(lambda: all(map(self.router.serving, clusters)))

    def kill_candidate(self) -> None:
        """Kills the candidate server, which cuts its calls."""
        assert self.candidate is not None
        self.candidate.kill()

    def run(
        self,
        command: str,
        *arguments: str,
        policy: str = "",
        in_place: bool = False,
        watch: Watch = lambda *_: None,
    ) -> CommandResult:
        """Runs a rollout command in a process, as an operator would.

        Args:
            command: Its name.
            arguments: Its arguments.
            policy: The policy as TOML.
            in_place: Whether to leave out the candidate group and the router.
            watch: Gets the command's events; it may kill the process, or a server.
        """
        assert self.candidate is not None
        policy_file = self.folder / "policy.toml"
        policy_file.write_text(policy)
        line = [*COMMAND, command, *arguments, "--config", str(self.config)]
        line += ["--targets", self.targets, "--rest-port", str(self.ports[1])]
        if not in_place:
            line += ["--candidate-targets", self.candidate.target]
            line += ["--router", "envoy", "--envoy-admin", self.router.metrics]
        line += ["--policy", str(policy_file), "--json"]
        tail, start = HistoryTail(self.history, skip=True), time.time()
        with (self.folder / "rollout.log").open("a") as log:
            process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            while process.poll() is None:
                for event in tail.new():
                    watch(event, process)
                if time.time() - start > TIMEOUT:
                    raise TimeoutError(f"{command} hangs: see {log.name}")
                time.sleep(POLL_SECONDS)
            printed, _ = process.communicate()
        finally:
            process.kill()
        lines = printed.splitlines()
        output = json.loads(lines[-1]) if lines else {"error": f"no output: see {log.name}"}
        return CommandResult(process.returncode, output, start, time.time())


@contextmanager
def deploy(folder: Path, first: Path, *, short_intervals: bool = False) -> Iterator[Deployment]:
    """Runs servers that serve a first version, and Envoy.

    Args:
        folder: An empty folder.
        first: The version's folder; it becomes version 1.
        short_intervals: Whether Envoy checks servers more often than in production.
    """
    base = folder / "models" / "seq2sum"
    shutil.copytree(first, base / "1")
    ports = servers.free_port(), servers.free_port()
    with ExitStack() as stack:
        names = stack.enter_context(docker_name_server(STABLE_HOSTS, [CANDIDATE_HOST]))
        router = Envoy(
            folder,
            replica_port=ports[0],
            rest_port=ports[1],
            name_server_port=names.port,
            short_intervals=short_intervals,
        )
        deployment = Deployment(folder, router, ports)
        stack.callback(_stop, deployment)
        for name in (deployment.config.name, cli_options.CANDIDATE_CONFIG):
            group = "The stable group" if name == deployment.config.name else "The candidate group"
            (folder / name).write_text(CONFIG.format(group=group, base=base))
        for host in STABLE_HOSTS:
            deployment.stable.append(deployment.start_server(host, deployment.config))
        stack.enter_context(router)
        deployment.start_candidate()
        for server in deployment.stable:
            server.wait_until_open()
        deployed.until(lambda: all(map(router.serving, (STABLE, REST[STABLE]))))
        yield deployment


def _stop(deployment: Deployment) -> None:
    for server in [*deployment.stable, deployment.candidate]:
        if server is not None and server.is_running:
            server.stop()
