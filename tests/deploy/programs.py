"""Programs that a test starts and stops."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

SECONDS_TO_START = SECONDS_TO_STOP = 30


class Program:
    """A program that runs while a `with` block is open; subclasses define when it is ready.

    Args:
        line: The command line.
        log: The file for its output.
        environment: Further environment variables.
    """

    def __init__(
        self, *line: object, log: Path, environment: Mapping[str, object] | None = None
    ) -> None:
        self.log = log
        self._line = list(map(str, line))
        self._environment = {name: str(value) for name, value in (environment or {}).items()}

    @property
    def is_ready(self) -> bool:
        return True

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._line,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | self._environment,
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while not self.is_ready:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise AssertionError(f"{self._line[0]} did not start:\n{self.log.read_text()}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        deadline = time.monotonic() + SECONDS_TO_STOP
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self._line[0]} did not stop:\n{self.log.read_text()}")
            self.process.send_signal(signal.SIGTERM)  # a second signal makes Envoy skip draining
            time.sleep(0.05)
