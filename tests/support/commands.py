"""The project's commands as processes; `seq2sum-train` is forked where possible."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from support import processes
from support.paths import BIN

_numbers = count()


@dataclass
class Running:
    """A running command, with the interface of `subprocess.Popen`; its output goes to files."""

    line: Sequence[str]
    process: processes.Process
    out: Path
    errors: Path

    @property
    def returncode(self) -> int | None:
        return self.process.poll()

    def poll(self) -> int | None:
        return self.process.poll()

    def send_signal(self, number: int) -> None:
        self.process.send_signal(number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits for its end, and returns its output on stdout and stderr."""
        self.process.wait(timeout)
        return self.out.read_text(), self.errors.read_text()


def start(*line: str | Path, folder: Path, cwd: Path | None = None, fresh: bool = False) -> Running:
    """Starts a command as a foreground job: background jobs of a shell ignore SIGINT.

    Args:
        line: The command and its arguments.
        folder: Folder of the files with its output.
        cwd: Its working directory; None: the current one.
        fresh: Whether to start a new process without the cache of compiled programs.
    """
    name, *arguments = map(str, line)
    number = next(_numbers)
    out, errors = (folder / f"{name}-{number}.{kind}" for kind in ("out", "errors"))
    if name == processes.TRAIN and processes.CAN_FORK and not fresh:
        server = processes.fork_server(name)
        process = server.start(arguments, out=out, errors=errors, folder=cwd)
    else:
        prefix = ("env", "--default-signal=INT") if sys.platform == "linux" else ()
        with out.open("wb") as stdout, errors.open("wb") as stderr:
            process = subprocess.Popen(
                [*prefix, BIN / name, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=cwd,
                env=processes.environment() if fresh else None,
            )
    return Running((name, *arguments), process, out, errors)


def run(
    *line: str | Path, cwd: Path | None = None, timeout: float = 280, fresh: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, or kills it after `timeout` seconds and raises TimeoutExpired."""
    with tempfile.TemporaryDirectory() as folder:
        running = start(*line, folder=Path(folder), cwd=cwd, fresh=fresh)
        try:
            stdout, stderr = running.communicate(timeout)
        finally:
            running.process.kill()
            running.process.wait()
        return subprocess.CompletedProcess(running.line, running.returncode, stdout, stderr)
