"""Three servers with a shared model folder, and the rollout command that changes them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2sum_serving.deployment import cli_options
from seq2sum_serving.deployment.event_log import Event, EventLog
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from support.servers import Server

REPLICAS = 3
TIMEOUT = 300
"""Seconds after which a command is considered to hang."""
COMMAND = (sys.executable, "-m", "seq2sum_serving.rollout.cli")
FLAGS = (
    "--model_config_file_poll_wait_seconds=1",
    "--max_num_load_retries=0",
    "--num_load_threads=1",
    "--allow_version_labels_for_unavailable_models=true",
)
CONFIG = """\
# Three servers read this file.
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
    output: Mapping[str, Any]
    """The JSON that it printed."""
    seconds: float

    @property
    def error(self) -> str:
        """The error message; empty if the command succeeded."""
        return str(self.output.get("error", ""))


@dataclass(frozen=True, slots=True)
class Deployment:
    """Replicas that share a model config file."""

    folder: Path
    """Contains the model config file, versions, history, traffic split and logs."""
    targets: tuple[str, ...]
    """The gRPC address of each replica."""

    @property
    def config(self) -> Path:
        """The model config file."""
        return self.folder / "models.config"

    @property
    def traffic(self) -> Path:
        """The traffic split that callers read."""
        return self._model_config_file.model_file(cli_options.TRAFFIC)

    def events(self) -> list[Event]:
        """Returns the history so far."""
        return EventLog(self._model_config_file.model_file(cli_options.HISTORY)).events()

    @property
    def _model_config_file(self) -> ModelConfigFile:
        return ModelConfigFile(self.config, "seq2sum")

    def run(self, command: str, *arguments: str, policy: str = "") -> CommandResult:
        """Runs a rollout command in a process, as an operator would.

        Args:
            command: Its name.
            arguments: Its arguments.
            policy: The policy as TOML.
        """
        policy_file = self.folder / "policy.toml"
        policy_file.write_text(policy)
        common = ["--config", str(self.config), "--targets", ",".join(self.targets)]
        start = time.monotonic()
        done = subprocess.run(
            [*COMMAND, command, *arguments, *common, "--policy", str(policy_file), "--json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
        lines = done.stdout.splitlines()
        output = json.loads(lines[-1]) if lines else {"error": done.stderr}
        return CommandResult(done.returncode, output, time.monotonic() - start)


@contextmanager
def deploy(folder: Path, first: Path, *, forked: bool = False) -> Iterator[Deployment]:
    """Runs servers that serve a first version.

    Args:
        folder: An empty folder.
        first: The version's folder; it becomes version 1.
        forked: Whether servers may be forked from a process that has TensorFlow loaded.
    """
    base = folder / "models" / "seq2sum"
    shutil.copytree(first, base / "1")
    config = folder / "models.config"
    config.write_text(CONFIG.format(base=base))
    with ExitStack() as stack:
        servers = []
        for _ in range(REPLICAS):
            servers.append(Server.launch(None, folder, config=config, flags=FLAGS, forked=forked))
            stack.callback(servers[-1].stop)
        yield Deployment(folder, tuple(server.wait_until_open().target for server in servers))
