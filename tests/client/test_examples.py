"""The example application: type-checked, tested and run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.server, pytest.mark.end_to_end]

EXAMPLES = Path(__file__).parents[2] / "examples"


def python(*line, folder=EXAMPLES):
    done = subprocess.run(
        [sys.executable, *line],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_examples_pass_strict_mypy_against_the_installed_client(tmp_path):
    # In a folder without mypy configuration, the installed client is used.
    cache = Path(__file__).parents[2] / ".mypy_cache" / "examples"
    output = python(
        "-m", "mypy", "--strict", "--cache-dir", cache, *EXAMPLES.glob("*.py"), folder=tmp_path
    )
    assert output.startswith("Success: no issues found in 2 source files")


def test_tests_of_the_examples_pass():
    output = python(
        "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", "-c", "/dev/null", "."
    )
    assert "5 passed" in output


def test_example_runs(fake):
    output = python("checkout.py", fake.target, "12+30", "x", "7+5")
    first, second, third = output.splitlines()
    assert (first, third) == ("12+30 = 42", "7+5 = 12")
    assert "'x' is not a question" in second
