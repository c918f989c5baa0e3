"""Runs programs, and reports how long each step of the tests takes."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

TIMEOUT = 1800
"""Seconds for one program; the longest is the build of an image with TensorFlow."""
WAIT_SECONDS = 300
"""For a condition, on a busy machine."""
LAST_LINES = 30

_steps: list[tuple[str, float]] = []


class CommandFailed(AssertionError):
    """A program exited with a code other than 0."""


def run(
    *line: object,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    check: bool = True,
    timeout: float = TIMEOUT,
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end.

    Raises:
        CommandFailed: It exited with a code other than 0, and `check` is set.
        subprocess.TimeoutExpired: It did not end in time.
    """
    words = list(map(str, line))
    done = subprocess.run(
        words,
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    if check and done.returncode != 0:
        output = "\n".join((done.stdout + done.stderr).splitlines()[-LAST_LINES:])
        raise CommandFailed(f"{' '.join(words)}: exit code {done.returncode}\n{output}")
    return done


@contextmanager
def step(name: str) -> Iterator[None]:
    """Measures a step, and prints it with its duration."""
    start = time.monotonic()
    try:
        yield
    finally:
        seconds = time.monotonic() - start
        _steps.append((name, seconds))
        print(f"\n  {seconds:6.1f} s  {name}", flush=True)


def steps() -> list[tuple[str, float]]:
    """Returns the names and seconds of all steps so far."""
    return list(_steps)


def until(condition, *, what: str, timeout: float = WAIT_SECONDS, interval: float = 0.5):
    """Returns the first true value of a function that is called repeatedly.

    Raises:
        AssertionError: It returned no true value in time.
    """
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}"
        time.sleep(interval)
    return found
