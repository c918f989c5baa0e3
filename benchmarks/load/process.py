"""Child processes that answer JSON requests, one per line: load generators and a bare session."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Self

from support import servers

from benchmarks.load.generator import Load, Sample
from benchmarks.support.output import ROOT


class JsonProcess:
    """Runs a module of this package as a process while the `with` block is open.

    Args:
        module: Its name, as `python -m` takes it.
        arguments: Its command-line arguments.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = [sys.executable, "-m", module, *arguments]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            # The same kernels as in the server, which turns oneDNN on.
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1"},
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # closes its stdin, which ends it

    def request(self, **fields: object) -> Any:
        """Sends one object and returns the reply; exits if the process has ended."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(fields), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(self._command[2:])}: no reply to {fields}")
        return json.loads(line)


class LoadGenerator(JsonProcess):
    """The load generator as a process."""

    def __init__(self) -> None:
        super().__init__("benchmarks.load.generator")

    def sample(self, server: servers.Server, load: Load, seconds: float) -> Sample:
        """Measures a load on a server."""
        return Sample(
            *self.request(
                target=server.target, pid=server.process.pid, seconds=seconds, **load._asdict()
            )
        )
