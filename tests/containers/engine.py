"""The container engine of the tests: the one of this machine, or a separate one."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from containers import own_engine
from containers.run import TIMEOUT, CommandFailed, run

FOLDER = "SEQ2SUM_CONTAINERS_FOLDER"
"""The variable with a folder in which an own engine keeps its images for the next run."""


class NoEngine(Exception):
    """No container engine can be used here."""


@dataclass(frozen=True)
class Engine:
    """A container engine, and the environment of its clients."""

    environment: Mapping[str, str]
    owned: bool
    """Whether the tests started it. Only then local images may have names of public ones."""

    def docker(self, *arguments: object, check: bool = True, timeout: float = TIMEOUT):
        """Runs the command `docker`."""
        line = ("docker", *arguments)
        return run(*line, environment=self.environment, check=check, timeout=timeout)

    def inspect(self, *names: str) -> list[dict]:
        """Returns what `docker inspect` reports about containers, images or networks."""
        return json.loads(self.docker("inspect", *names).stdout) if names else []


@contextmanager
def found() -> Iterator[Engine]:
    """Finds an engine, or starts one.

    Raises:
        NoEngine: With the reason, and what to do.
    """
    if _answers(os.environ):
        if run("docker", "compose", "version", check=False).returncode != 0:
            raise NoEngine("docker has no compose plugin: install Docker Compose 2")
        yield Engine(os.environ, owned=False)
        return
    kept = os.environ.get(FOLDER)
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="seq2sum-containers-") as temporary:
        folder = Path(kept or temporary).resolve()
        if reason := own_engine.obstacle(folder):
            raise NoEngine(
                f"no container engine answers `docker info`, and tests cannot start one: {reason}; "
                "start Docker, or run them as root on Debian"
            )
        with _started(folder) as environment:
            yield Engine(environment, owned=True)


@contextmanager
def _started(folder: Path) -> Iterator[Mapping[str, str]]:
    engine = own_engine.running(folder)
    try:
        environment = engine.__enter__()
    except (AssertionError, CommandFailed, OSError, subprocess.SubprocessError) as error:
        raise NoEngine(f"cannot start a container engine on this machine: {error}") from error
    try:
        yield environment
    finally:
        engine.__exit__(None, None, None)


def _answers(environment: Mapping[str, str]) -> bool:
    try:
        done = run("docker", "info", environment=environment, check=False, timeout=30)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
