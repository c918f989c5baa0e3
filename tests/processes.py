"""Server processes: started as commands, or forked from one that has TensorFlow loaded."""

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

EMBEDDED = (sys.executable, "-m", "seq2sum_serving.embedded.command")
FLAGS = (
    "--port={port} --rest_api_port={rest_port} --model_name={model_name} "
    "--model_base_path={model_base_path} --model_config_file={model_config_file} {extra_flags}"
)
VARIABLE = "SEQ2SUM_SERVER_COMMAND"
TEMPLATE = os.environ.get(VARIABLE, f"{shlex.join(EMBEDDED)} {FLAGS}")
CAN_FORK = VARIABLE not in os.environ and sys.platform == "linux"
"""Another server's command is started as it is; elsewhere a child cannot be waited for so."""

SECONDS_TO_FORK = 60


class Process(Protocol):
    """What tests do with a server's process."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal; or subprocess.TimeoutExpired."""
        ...

    def send_signal(self, number: int) -> None: ...

    def kill(self) -> None: ...


def command(**values: str | int) -> list[str]:
    """The command line that starts a server; fields of the template, quoted where needed."""
    return shlex.split(TEMPLATE.format(**values))


def started(line: Sequence[str], log: Path) -> Process:
    """A process of its own, from nothing."""
    with log.open("ab") as file:
        return subprocess.Popen(line, stdout=file, stderr=file, stdin=subprocess.DEVNULL)


def forked(line: Sequence[str], log: Path) -> Process:
    """The same, without the seconds that TensorFlow takes to import where that can be."""
    return _fork_server().start(line, log) if CAN_FORK else started(line, log)


def close() -> None:
    """Ends the program that forks."""
    with _opening:
        while _open:
            _open.pop().close()


class Forked:
    """A server that the fork server has started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: Future[int] = Future()

    def poll(self) -> int | None:
        return self.code.result() if self.code.done() else None

    def wait(self, timeout: float | None = None) -> int:
        try:
            return self.code.result(timeout)
        except TimeoutError as error:
            raise subprocess.TimeoutExpired("seq2sum-serve", timeout or 0) from error

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(9)


class ForkServer:
    """Starts servers of the project from `forkserver.py`, which has TensorFlow imported."""

    def __init__(self) -> None:
        self._program = subprocess.Popen(
            [sys.executable, Path(__file__).parent / "forkserver.py"],
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

    def start(self, line: Sequence[str], log: Path) -> Process:
        """The command line is that of the embedded server."""
        assert tuple(line[: len(EMBEDDED)]) == EMBEDDED
        asked = {"arguments": line[len(EMBEDDED) :], "log": str(log)}
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
                self._forked[pid] = Forked(pid)
                self._answer.set_result(self._forked[pid])
            else:
                code = os.waitstatus_to_exitcode(told["status"])
                self._forked.pop(told["ended"]).code.set_result(code)


_opening = threading.Lock()
_open: list[ForkServer] = []


def _fork_server() -> ForkServer:
    with _opening:
        if not _open:
            _open.append(ForkServer())
        return _open[0]
