"""The demo, which runs once for all tests of this folder."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

TIMEOUT_SECONDS = 580


@dataclass(frozen=True)
class Demo:
    """A finished run of the demo."""

    folder: Path
    output: str


@pytest.fixture(scope="session")
def demo(demo_under_way: tuple[Path, subprocess.Popen[str]]) -> Demo:
    folder, process = demo_under_way
    output, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0, output + errors
    return Demo(folder, output)
