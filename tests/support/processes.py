"""Processes, started as commands or forked from a process that has imported TensorFlow."""

from __future__ import annotations

import contextlib
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
"""Set by `pytest --quick`, in which tests must not start servers."""
EMBEDDED_TEMPLATE = f"{shlex.join(EMBEDDED)} {FLAGS}"
TEMPLATE = os.environ.get(VARIABLE, EMBEDDED_TEMPLATE)
CAN_FORK = sys.platform == "linux"
"""The fork server needs `pidfd_open`."""
TESTS_EMBEDDED_SERVER = VARIABLE not in os.environ
"""Whether the suite tests the embedded server, and not that of SEQ2SUM_SERVER_COMMAND."""
SERVE, TRAIN = "seq2sum-serve", "seq2sum-train"
XLA_FLAGS_VARIABLE = "TF_XLA_FLAGS"

FORK_TIMEOUT_SECONDS = 240


class Process(Protocol):
    """The methods of a process that tests use."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int:
        """Returns the exit code, negative for a signal; raises subprocess.TimeoutExpired."""
        ...

    def send_signal(self, number: int) -> None: ...

    def kill(self) -> None: ...


def share_compilations(folder: str) -> None:
    """Lets this process and its children share a cache of compiled XLA programs.

    Many tests train the same small networks, and compiling one takes as long as training it.
    """
    os.environ.setdefault(XLA_FLAGS_VARIABLE, f"--tf_xla_persistent_cache_directory={folder}")


def environment() -> dict[str, str]:
    """Returns an environment without the cache of compiled programs, like a user's."""
    return {name: value for name, value in os.environ.items() if name != XLA_FLAGS_VARIABLE}


def command(template: str = TEMPLATE, **values: str | int) -> list[str]:
    """Returns the command line of a server, from quoted values for the template."""
    return shlex.split(template.format(**values))


def start_process(line: Sequence[str], log: Path) -> Process:
    """Starts a new process."""
    assert FORBIDDEN not in os.environ, "starts a server: mark the test with pytest.mark.server"
    with log.open("ab") as file:
        return subprocess.Popen(
            line, stdout=file, stderr=file, stdin=subprocess.DEVNULL, env=environment()
        )


def fork_process(line: Sequence[str], log: Path) -> Process:
    """Forks a process that has imported TensorFlow, or starts one where it cannot be forked."""
    if not (CAN_FORK and TESTS_EMBEDDED_SERVER):
        return start_process(line, log)
    assert FORBIDDEN not in os.environ, "starts a server: mark the test with pytest.mark.server"
    assert tuple(line[: len(EMBEDDED)]) == EMBEDDED
    return fork_server(SERVE).start(line[len(EMBEDDED) :], out=log, errors=log)


def fork_server(command: str) -> ForkServer:
    """Returns the fork server of a command, and starts it on first use."""
    with _lock:
        if command not in _fork_servers:
            _fork_servers[command] = ForkServer(command)
        return _fork_servers[command]


def close() -> None:
    """Ends all fork servers."""
    with _lock:
        while _fork_servers:
            _fork_servers.popitem()[1].close()


class Forked:
    """A process of a fork server."""

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
            with contextlib.suppress(ProcessLookupError):  # it has ended, but is not yet reported
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(9)


class ForkServer:
    """Forks a command of the project from `forkserver.py`, which has imported TensorFlow."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._program = subprocess.Popen(
            [sys.executable, Path(__file__).parent / "forkserver.py", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._starting = threading.Lock()
        self._started: Future[Forked] = Future()
        self._forked: dict[int, Forked] = {}
        self._reader = threading.Thread(target=self._read, name="fork server")
        self._reader.start()

    def start(
        self, arguments: Sequence[str], *, out: Path, errors: Path, folder: Path | None = None
    ) -> Process:
        """Runs the command in a folder, by default the current one; output goes to files."""
        request = {
            "arguments": arguments,
            "out": str(out),
            "errors": str(errors),
            "folder": str(folder or Path.cwd()),
        }
        with self._starting:
            self._started = Future()
            print(json.dumps(request), file=self._program.stdin, flush=True)
            return self._started.result(FORK_TIMEOUT_SECONDS)

    def close(self) -> None:
        self._program.stdin.close()
        self._reader.join()
        self._program.stdout.close()
        self._program.wait()

    def _read(self) -> None:
        for line in self._program.stdout:
            report: dict[str, Any] = json.loads(line)
            if (pid := report.get("started")) is not None:
                self._forked[pid] = Forked(pid, self._command)
                self._started.set_result(self._forked[pid])
            else:
                code = os.waitstatus_to_exitcode(report["status"])
                self._forked.pop(report["ended"]).code.set_result(code)


_lock = threading.Lock()
_fork_servers: dict[str, ForkServer] = {}
