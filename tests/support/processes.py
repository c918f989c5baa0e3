"""Processes: started as commands, or forked from one that has TensorFlow loaded."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

EMBEDDED = (sys.executable, "-m", "seq2sum_serving.embedded.cli")
FLAGS = (
    "--port={port} --rest_api_port={rest_port} --model_name={model_name} "
    "--model_base_path={model_base_path} --model_config_file={model_config_file} {extra_flags}"
)
VARIABLE = "SEQ2SUM_SERVER_COMMAND"
FORBIDDEN = "SEQ2SUM_NO_SERVERS"
"""Set where tests must not start servers: the fast loop."""
TEMPLATE = os.environ.get(VARIABLE, f"{shlex.join(EMBEDDED)} {FLAGS}")
CAN_FORK = sys.platform == "linux"
"""Elsewhere a child cannot be waited for so."""
OF_THE_PROJECT = VARIABLE not in os.environ
"""Whether the servers are; another one's command is started as it is."""
SERVE, TRAIN = "seq2sum-serve", "seq2sum-train"
COMPILER = "TF_XLA_FLAGS"

SECONDS_TO_FORK = 60


class Process(Protocol):
    """What tests do with a process."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal; or subprocess.TimeoutExpired."""
        ...

    def send_signal(self, number: int) -> None: ...

    def kill(self) -> None: ...


def keep_compiled(folder: str) -> None:
    """Lets this process and others find what XLA compiled before.

    Many tests train the same small networks, and to compile one takes as long as to train it.
    """
    os.environ.setdefault(COMPILER, f"--tf_xla_persistent_cache_directory={folder}")


def environment() -> dict[str, str]:
    """That of a process that compiles whatever it has to, as a user's does."""
    return {name: value for name, value in os.environ.items() if name != COMPILER}


def command(**values: str | int) -> list[str]:
    """The command line that starts a server; fields of the template, quoted where needed."""
    return shlex.split(TEMPLATE.format(**values))


def started(line: Sequence[str], log: Path) -> Process:
    """Starts a new process."""
    assert FORBIDDEN not in os.environ, "starts a server: mark the test with pytest.mark.server"
    with log.open("ab") as file:
        return subprocess.Popen(
            line, stdout=file, stderr=file, stdin=subprocess.DEVNULL, env=environment()
        )


def forked(line: Sequence[str], log: Path) -> Process:
    """The same, without the seconds that TensorFlow takes to import where that can be."""
    if not (CAN_FORK and OF_THE_PROJECT):
        return started(line, log)
    assert FORBIDDEN not in os.environ, "starts a server: mark the test with pytest.mark.server"
    assert tuple(line[: len(EMBEDDED)]) == EMBEDDED
    return fork_server(SERVE).start(line[len(EMBEDDED) :], out=log, errors=log)


def fork_server(command: str) -> ForkServer:
    """The one that forks this command."""
    with _opening:
        if command not in _open:
            _open[command] = ForkServer(command)
        return _open[command]


def close() -> None:
    """Ends the programs that fork."""
    with _opening:
        while _open:
            _open.popitem()[1].close()


class Forked:
    """A process that a fork server has started."""

    def __init__(self, pid: int, command: str) -> None:
        self.pid = pid
        self._command = command
        self.code: Future[int] = Future()

    def poll(self) -> int | None:
        return self.code.result() if self.code.done() else None

    def wait(self, timeout: float | None = None) -> int:
        try:
            return self.code.result(timeout)
        except TimeoutError as error:
            raise subprocess.TimeoutExpired(self._command, timeout or 0) from error

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(9)


class ForkServer:
    """Starts a command of the project from `forkserver.py`, which has TensorFlow imported."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._program = subprocess.Popen(
            [sys.executable, Path(__file__).parent / "forkserver.py", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._asking = threading.Lock()
        self._answer: Future[Forked] = Future()
        self._forked: dict[int, Forked] = {}
        self._reader = threading.Thread(target=self._read, name="fork server")
        self._reader.start()

    def start(
        self, arguments: Sequence[str], *, out: Path, errors: Path, folder: Path | None = None
    ) -> Process:
        """Runs the command in a folder, or in the current one; what it says goes to files."""
        asked = {
            "arguments": arguments,
            "out": str(out),
            "errors": str(errors),
            "folder": str(folder or Path.cwd()),
        }
        with self._asking:
            self._answer = Future()
            print(json.dumps(asked), file=self._program.stdin, flush=True)
            return self._answer.result(SECONDS_TO_FORK)

    def close(self) -> None:
        self._program.stdin.close()
        self._reader.join()
        self._program.stdout.close()
        self._program.wait()

    def _read(self) -> None:
        for line in self._program.stdout:
            told: dict[str, Any] = json.loads(line)
            if (pid := told.get("started")) is not None:
                self._forked[pid] = Forked(pid, self._command)
                self._answer.set_result(self._forked[pid])
            else:
                code = os.waitstatus_to_exitcode(told["status"])
                self._forked.pop(told["ended"]).code.set_result(code)


_opening = threading.Lock()
_open: dict[str, ForkServer] = {}
