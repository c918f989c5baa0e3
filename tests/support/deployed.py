"""A model on real servers of one test, with its model config file and the rollout commands."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import grpc
import seq2sum
from google.protobuf import text_format
from seq2sum.protocol.model_management_pb2 import ReloadConfigRequest, ReloadConfigResponse
from seq2sum.protocol.model_server_config_pb2 import ModelServerConfig
from seq2sum_serving.deployment import replicas
from seq2sum_serving.rollout import cli
from support import servers

FLAGS = (
    "--max_num_load_retries=0",
    "--num_load_threads=1",
    "--allow_version_labels_for_unavailable_models=true",
)
"""Flags that rollouts require."""
POLLING = "--model_config_file_poll_wait_seconds=1"

RELOAD = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
TIMEOUT = 90
"""Seconds to wait for anything on a busy machine."""

QUICK = """
[latency]
warm_up = 2
samples = 10
rows = [1]
max_p50_ratio = 10.0
max_p99_ratio = 200.0
max_p99_milliseconds = 5000.0
[live]
min_calls = 5
max_p99_ratio = 200.0
probes_per_second = 20.0
[load]
timeout = 90.0
[traffic]
steps = [10, 50]
bake = 1
settle = 0.2
unlabelled_callers = "none"
"""
"""A policy for short runs on a busy machine."""


@dataclass(frozen=True)
class CommandResult:
    """The result of a command."""

    code: int
    out: str
    errors: str

    @property
    def json(self):
        """The output of a command with `--json`."""
        [line] = self.out.splitlines()
        return json.loads(line)

    @property
    def text(self) -> str:
        """Output and errors in one line, for texts that may be wrapped anywhere."""
        return " ".join(f"{self.out} {self.errors}".split())


class Deployed:
    """A base path with versions, `models.config`, and servers that read it."""

    def __init__(
        self, folder: Path, good: Path, *, entry: str = "", model: str = "seq2sum"
    ) -> None:
        self.folder = folder
        self.model = model
        self.base = folder / "models" / model
        self.config = folder / "models.config"
        self.traffic = folder / f"{model}.traffic.json"
        self.history = folder / f"{model}.rollouts.jsonl"
        self.policy = folder / "policy.toml"
        self.servers: list[servers.Server] = []
        self.candidate: servers.Server | None = None
        shutil.copytree(good, self.base / "1")
        self.edit(self.text(entry))
        self.policy.write_text(QUICK)

    def __enter__(self) -> Deployed:
        return self

    def __exit__(self, *_: object) -> None:
        for server in filter(None, (*self.servers, self.candidate)):
            server.stop()

    def text(self, entry: str = "", *, other: str = "") -> str:
        """Returns a model config with more lines in the model's entry, and other entries."""
        names = f'name: "{self.model}"\n    base_path: "{self.base}"'
        model = f'{names}\n    model_platform: "tensorflow"'
        return (
            "# models of the test\nmodel_config_list {\n"
            f"  config {{\n    {model}\n    {entry}\n  }}\n  {other}\n}}\n"
        )

    def edit(self, text: str) -> None:
        """Replaces the model config file."""
        staged = self.config.with_name("staged")
        staged.write_text(text)
        staged.replace(self.config)

    def copy_version(self, source: Path, number: int) -> None:
        """Copies a version to the base path, without a command."""
        shutil.copytree(source, self.base / "staged")
        (self.base / "staged").rename(self.base / str(number))

    def files(self) -> dict[Path, bytes]:
        """Returns the model config file, the weights and the history; empty if missing."""
        return {
            path: path.read_bytes() if path.exists() else b""
            for path in (self.config, self.traffic, self.history)
        }

    def restore(self, files: dict[Path, bytes]) -> None:
        """Restores files after a failed test, so that the next test starts from the same state."""
        for path, content in files.items():
            if content:
                path.write_bytes(content)
            else:
                path.unlink(missing_ok=True)
        for server in self.servers:
            if server.process.poll() is None:
                reload(server, files[self.config].decode())

    def start(self, *flags: str, wait: bool = True, **options: object) -> servers.Server:
        """Starts another server, or one on the port of a stopped server."""
        server = servers.Server.launch(
            None, self.folder, config=self.config, flags=[*FLAGS, *flags], forked=True, **options
        )
        self.servers.append(server)
        return server.wait_until_open() if wait else server

    def start_candidate(self, *flags: str) -> servers.Server:
        """Starts a candidate group of one server; rollouts use it from now on."""
        config = self.folder / "candidate.config"
        shutil.copy(self.config, config)
        self.candidate = servers.Server.launch(
            None, self.folder, config=config, flags=[*FLAGS, *flags], forked=True
        )
        self.candidate.wait_until_open()
        section = f'[candidate]\ntargets = "{self.candidate.target}"\n'
        self.policy.write_text(self.policy.read_text() + section)
        return self.candidate

    @property
    def targets(self) -> str:
        return ",".join(server.target for server in self.servers)

    def line(self, *arguments: str | Path, targets: str | None = None) -> list[str]:
        """Returns the arguments of a command."""
        words = list(map(str, arguments))
        command = words[: 2 if words[0] in ("golden", "contract") else 1]
        deployment = ["--config", self.config, "--targets", targets or self.targets]
        others = words[len(command) :]
        return [*command, *map(str, deployment), "--policy", str(self.policy), *others]

    def rollout(self, *arguments: str | Path, targets: str | None = None) -> CommandResult:
        """Runs a command in this process."""
        out, errors = io.StringIO(), io.StringIO()
        timeout = mock.patch.object(replicas, "CALL_SECONDS", TIMEOUT)
        with timeout, contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            try:
                code = cli.main(self.line(*arguments, targets=targets))
            except SystemExit as exit_:  # of argparse
                code = int(str(exit_.code))
        return CommandResult(code, out.getvalue(), errors.getvalue())

    def start_rollout(self, *arguments: str | Path, max_bytes: int = -1) -> subprocess.Popen[str]:
        """Starts a command in another process.

        Args:
            arguments: Arguments of the command.
            max_bytes: Maximum size of a file, to imitate a full disk; -1 for no limit.
        """
        program = (
            "import resource, sys\n"
            f"limits = ({max_bytes}, resource.getrlimit(resource.RLIMIT_FSIZE)[1])\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, limits)\n"
            f"import {replicas.__name__} as replicas\n"
            f"replicas.CALL_SECONDS = {TIMEOUT}\n"
            f"from {cli.__name__} import main\n"
            "sys.exit(main())"
        )
        return subprocess.Popen(
            [sys.executable, "-c", program, *self.line(*arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def status(self, targets: str | None = None):
        """Returns the output of `status --json`."""
        return self.rollout("status", "--json", targets=targets).json

    def status_of(self, model: str):
        """Returns the output of `status --json` for one of several models."""
        return self.rollout("status", "--json", "--model", model).json

    def events(self, kind: str = "") -> list[dict]:
        """Returns the events of the history, of one kind or of all."""
        lines = self.history.read_text().splitlines() if self.history.exists() else []
        events = map(json.loads, lines)
        return [event for event in events if kind in ("", event["kind"])]

    def until_event(self, kind: str, version: int) -> None:
        """Waits for an event of a version."""
        until(lambda: version in [event["version"] for event in self.events(kind)])

    def bytes(self) -> dict[str, bytes]:
        """Returns the content of every file that a command may write, except locks."""
        files = [path for path in self.folder.iterdir() if path.is_file()]
        files += [path / "saved_model.pb" for path in self.base.iterdir()]
        return {
            str(path): path.read_bytes()
            for path in files
            if path.suffix not in (".lock", ".rollout", ".log")
        }


def until(condition, seconds: float = TIMEOUT):
    """Waits until a condition returns a true value, and returns that value.

    Raises:
        AssertionError: The condition is still false after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not true after {seconds:g} s"
        time.sleep(0.05)
    return found


def reload(server: servers.Server, config: str | ModelServerConfig, seconds: float = 10) -> str:
    """Sends a configuration; returns OK or the error of the server."""
    message = config
    if isinstance(config, str):
        message = text_format.Parse(config, ModelServerConfig())
    with grpc.insecure_channel(server.target) as channel:
        call = channel.unary_unary(
            RELOAD,
            request_serializer=ReloadConfigRequest.SerializeToString,
            response_deserializer=ReloadConfigResponse.FromString,
        )
        try:
            call(ReloadConfigRequest(config=message), timeout=seconds)
        except grpc.RpcError as error:
            return f"{error.code().name} {error.details()}"
    return "OK"


def states(server: servers.Server) -> dict[int, str]:
    """Returns the state of each version; FAILED is END with an error."""
    with seq2sum.Client(server.target) as client:
        return {
            entry.version: "FAILED" if entry.error else entry.state.name
            for entry in client.versions()
        }


def served_version(server: servers.Server, **options: object) -> int:
    """Returns the version that answers a call."""
    with seq2sum.Client(server.target) as client:
        return client.add("1+1", **options).version
