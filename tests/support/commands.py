"""The project's commands: as a shell starts them, and `seq2sum-train` forked where that can be."""

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
    """A command on its way, with the face of `subprocess.Popen`; what it says goes to files."""

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
        """What it said on stdout and stderr, when it has ended."""
        self.process.wait(timeout)
        return self.out.read_text(), self.errors.read_text()


def start(*line: str | Path, folder: Path, cwd: Path | None = None, fresh: bool = False) -> Running:
    """Starts a command, as if in the foreground: background jobs of a shell ignore Ctrl-C.

    Args:
        line: The command and its arguments.
        folder: Where files with what it says go.
        cwd: Where it runs; None: here.
        fresh: Whether it starts from nothing, and compiles whatever it has to.
    """
    name, *arguments = map(str, line)
    number = next(_numbers)
    out, errors = (folder / f"{name}-{number}.{kind}" for kind in ("out", "errors"))
    if name == processes.TRAIN and processes.CAN_FORK and not fresh:
        server = processes.fork_server(name)
        process = server.start(arguments, out=out, errors=errors, folder=cwd)
    else:
        within = ("env", "--default-signal=INT") if sys.platform == "linux" else ()
        with out.open("wb") as told, errors.open("wb") as complained:
            process = subprocess.Popen(
                [*within, BIN / name, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=complained,
                cwd=cwd,
                env=processes.environment() if fresh else None,
            )
    return Running((name, *arguments), process, out, errors)


def run(
    *line: str | Path, cwd: Path | None = None, timeout: float = 280, fresh: bool = False
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, or kills it after so many seconds and raises TimeoutExpired."""
    with tempfile.TemporaryDirectory() as folder:
        running = start(*line, folder=Path(folder), cwd=cwd, fresh=fresh)
        try:
            told, complained = running.communicate(timeout)
        finally:
            running.process.kill()
            running.process.wait()
        return subprocess.CompletedProcess(running.line, running.returncode, told, complained)
