"""A model on servers of a test's own, with its file of record, and the tool that rolls it out."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
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
from support.caller_threads import CallerThreads

FLAGS = (
    "--max_num_load_retries=0",
    "--num_load_threads=1",
    "--allow_version_labels_for_unavailable_models=true",
)
"""Those that rollouts want."""
POLLING = "--model_config_file_poll_wait_seconds=1"

RELOAD = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
LONGEST = 90
"""Seconds that anything may take here that comes about by itself, on a busy machine."""

QUICK = """
[latency]
warm_up = 2
samples = 10
rows = [1]
max_p50_ratio = 20.0
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
"""
"""A policy for runs of seconds, on a machine that has other things to do."""


@dataclass(frozen=True)
class Told:
    """What a command of the tool came to."""

    code: int
    out: str
    errors: str

    @property
    def json(self):
        """Of a command with `--json`."""
        [line] = self.out.splitlines()
        return json.loads(line)

    @property
    def words(self) -> str:
        """All that it said, in one line: for texts that may be broken anywhere."""
        return " ".join(f"{self.out} {self.errors}".split())


class Deployed:
    """The model's base path, models.config, and servers that read it."""

    def __init__(self, folder: Path, good: Path, *, entry: str = "") -> None:
        self.folder = folder
        self.base = folder / "models" / "seq2sum"
        self.config = folder / "models.config"
        self.traffic = folder / "traffic.json"
        self.history = folder / "rollouts.jsonl"
        self.policy = folder / "policy.toml"
        self.servers: list[servers.Server] = []
        shutil.copytree(good, self.base / "1")
        self.edit(self.text(entry))
        self.policy.write_text(QUICK)

    def __enter__(self) -> Deployed:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.stop()

    def text(self, entry: str = "", *, beside: str = "") -> str:
        """A configuration: more lines of the model's entry, and what is beside it."""
        model = f'name: "seq2sum"\n    base_path: "{self.base}"\n    model_platform: "tensorflow"'
        return (
            "# the file of record\nmodel_config_list {\n"
            f"  config {{\n    {model}\n    {entry}\n  }}\n  {beside}\n}}\n"
        )

    def edit(self, text: str) -> None:
        """Writes the file of record by hand, in one go."""
        staged = self.config.with_name("staged")
        staged.write_text(text)
        staged.replace(self.config)

    def put(self, source: Path, number: int) -> None:
        """Copies a version to the base path by hand, in one go."""
        shutil.copytree(source, self.base / "staged")
        (self.base / "staged").rename(self.base / str(number))

    def files(self) -> dict[Path, bytes]:
        """What says which versions serve, and what was done; empty where there is no file."""
        return {
            path: path.read_bytes() if path.exists() else b""
            for path in (self.config, self.traffic, self.history)
        }

    def restore(self, files: dict[Path, bytes]) -> None:
        """Puts files back after a test that failed, so that the next one starts as it did."""
        for path, content in files.items():
            if content:
                path.write_bytes(content)
            else:
                path.unlink(missing_ok=True)
        for server in self.servers:
            if server.process.poll() is None:
                reload(server, files[self.config].decode())

    def start(self, *flags: str, wait: bool = True, **how: object) -> servers.Server:
        """One more server, or one that was there on its old port."""
        server = servers.Server.launch(
            None, self.folder, config=self.config, flags=[*FLAGS, *flags], forked=True, **how
        )
        self.servers.append(server)
        return server.wait_until_open() if wait else server

    @property
    def targets(self) -> str:
        return ",".join(server.target for server in self.servers)

    def line(self, *arguments: str | Path, targets: str | None = None) -> list[str]:
        """The arguments of a command of the tool."""
        verb, *more = map(str, arguments)
        where = ["--config", self.config, "--targets", targets or self.targets]
        return [verb, *map(str, where), "--policy", str(self.policy), *more]

    def roll(self, *arguments: str | Path, targets: str | None = None) -> Told:
        """Runs a command of the tool to its end, in this process."""
        out, errors = io.StringIO(), io.StringIO()
        patient = mock.patch.object(replicas, "CALL_SECONDS", LONGEST)
        with patient, contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            try:
                code = cli.main(self.line(*arguments, targets=targets))
            except SystemExit as ended:  # argparse has told what is wrong
                code = int(str(ended.code))
        return Told(code, out.getvalue(), errors.getvalue())

    def rolling(self, *arguments: str | Path, most_bytes: int = -1) -> subprocess.Popen[str]:
        """Starts a command of the tool as another operator would.

        Args:
            arguments: Of the command.
            most_bytes: What files may grow to, as on a disk that is full then; -1 for no limit.
        """
        program = (
            "import resource, sys\n"
            f"limits = ({most_bytes}, resource.getrlimit(resource.RLIMIT_FSIZE)[1])\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, limits)\n"
            f"import {replicas.__name__} as fleet\n"
            f"fleet.CALL_SECONDS = {LONGEST}\n"
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
        """As the tool sees it."""
        return self.roll("status", "--json", targets=targets).json

    def events(self, what: str = "") -> list[dict]:
        """The history; of one kind or of all."""
        lines = self.history.read_text().splitlines() if self.history.exists() else []
        found = map(json.loads, lines)
        return [event for event in found if what in ("", event["kind"])]

    def until_event(self, what: str, version: int) -> None:
        """Waits for it."""
        until(lambda: version in [event["version"] for event in self.events(what)])

    def bytes(self) -> dict[str, bytes]:
        """Everything that the tool may write, file by file; but for locks, which stay."""
        files = [path for path in self.folder.iterdir() if path.is_file()]
        files += [path / "saved_model.pb" for path in self.base.iterdir()]
        return {
            str(path): path.read_bytes()
            for path in files
            if path.suffix not in (".lock", ".rollout", ".log")
        }


class Traffic(CallerThreads):
    """Callers that ask all the time by the weights in a file; what answers, and what fails."""

    PAUSE = 0.02
    """Between two calls of a caller: there are two cores for everything."""

    def __init__(self, deployed: Deployed, callers: int = 2) -> None:
        super().__init__()
        targets = [server.target for server in deployed.servers]
        split = seq2sum.SplitFile(deployed.traffic, poll_interval=0.1)
        self._client = seq2sum.Client(targets, split=split, timeout=30)
        self._count = callers
        self._lock = threading.Lock()
        self.calls = 0
        """Since the last look."""
        self._failures: list[str] = []
        self._answers: Counter[int] = Counter()

    def works(self):
        return [self._ask] * self._count

    def close(self) -> None:
        self._client.close()

    def _ask(self) -> None:
        number = 0
        while not self.over.wait(self.PAUSE):
            number += 1
            a, b = number % 10, number // 10 % 10
            try:
                answer = self._client.add(f"{a}+{b}")
                failure = "" if answer.value == a + b else f"{a}+{b} = {answer.text}"
            except seq2sum.Seq2SumError as error:
                failure = str(error)
            with self._lock:
                self.calls += 1
                if failure:
                    self._failures.append(failure)
                else:
                    self._answers[answer.version] += 1

    def seen(self) -> dict[int, int]:
        """Right answers by version since the last look; none may have failed.

        Raises:
            AssertionError: A call failed.
        """
        with self._lock:
            found, self._answers, self.calls = dict(self._answers), Counter(), 0
            failures, self._failures = self._failures, []
        assert not failures, failures[:5]
        return found


def until(holds, seconds: float = LONGEST):
    """Waits until something holds; gives back what it was that held.

    Raises:
        AssertionError: It did not come about.
    """
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return found


def reload(server: servers.Server, config: str | ModelServerConfig, seconds: float = 10) -> str:
    """A configuration sent by hand; what the server says to it, OK or the error."""
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
    """The state of each version of the model by its number; FAILED is an END with an error."""
    with seq2sum.Client(server.target) as client:
        return {
            entry.version: "FAILED" if entry.error else entry.state.name
            for entry in client.versions()
        }


def answering(server: servers.Server, **how: object) -> int:
    """The version that answers a call."""
    with seq2sum.Client(server.target) as client:
        return client.add("1+1", **how).version
