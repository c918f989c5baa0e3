"""The servers of a story, the folder that they share, and the command that changes it."""

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

from seq2sum_serving.rollout import options
from seq2sum_serving.rollout.history import Event, History
from servers import Server

REPLICAS = 3
MOST_SECONDS = 300
"""A verb that takes longer hangs."""
COMMAND = (sys.executable, "-m", "seq2sum_serving.rollout.command")
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
class Ended:
    """A verb that came to its end."""

    code: int
    """Its exit code."""
    answer: Mapping[str, Any]
    """What it printed as JSON."""
    seconds: float

    @property
    def message(self) -> str:
        """What went wrong, in its own words; empty if nothing did."""
        return str(self.answer.get("error", ""))


@dataclass(frozen=True, slots=True)
class World:
    """Replicas of one model, with one file of record."""

    folder: Path
    """For everything: the file of record, versions, history, weights, logs."""
    targets: tuple[str, ...]
    """The gRPC address of each replica."""

    @property
    def config(self) -> Path:
        """The file of record."""
        return self.folder / "models.config"

    @property
    def traffic(self) -> Path:
        """The weights that callers read."""
        return self.folder / options.TRAFFIC

    def events(self) -> list[Event]:
        """The history so far."""
        return History(self.folder / options.HISTORY).events()

    def rollout(self, verb: str, *arguments: str, policy: str = "") -> Ended:
        """Runs a verb as an operator would, in a process of its own.

        Args:
            verb: Its name.
            arguments: What follows it.
            policy: Limits of the gates, as TOML.
        """
        limits = self.folder / "policy.toml"
        limits.write_text(policy)
        where = ["--config", str(self.config), "--targets", ",".join(self.targets)]
        began = time.monotonic()
        done = subprocess.run(
            [*COMMAND, verb, *arguments, *where, "--policy", str(limits), "--json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=MOST_SECONDS,
        )
        lines = done.stdout.splitlines()
        answer = json.loads(lines[-1]) if lines else {"error": done.stderr}
        return Ended(done.returncode, answer, time.monotonic() - began)


@contextmanager
def opened(folder: Path, first: Path, *, forked: bool = False) -> Iterator[World]:
    """Servers that serve a first version, until the end.

    Args:
        folder: An empty one.
        first: The version's folder; it becomes version 1.
        forked: Whether servers may be forked from a process that has TensorFlow loaded.
    """
    base = folder / "models" / "seq2sum"
    shutil.copytree(first, base / "1")
    config = folder / "models.config"
    config.write_text(CONFIG.format(base=base))
    with ExitStack() as ends:
        servers = []
        for _ in range(REPLICAS):
            servers.append(Server.launch(None, folder, config=config, flags=FLAGS, forked=forked))
            ends.callback(servers[-1].stop)
        yield World(folder, tuple(server.wait_until_open().target for server in servers))
