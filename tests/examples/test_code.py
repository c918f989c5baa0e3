"""The examples are small, and type-checked."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from support.paths import ROOT

EXAMPLES = ROOT / "examples"
MAX_LINES = 100
"""Lines of code that a user writes for one example."""


def lines_of_code(path):
    """Returns the number of lines that are not empty, comments or docstrings."""
    source = path.read_text()
    lines = source.splitlines()
    counted = {n for n, line in enumerate(lines, 1) if line.strip() and line.strip()[0] != "#"}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            counted -= set(range(node.lineno, (node.end_lineno or 0) + 1))
    return len(counted)


@pytest.mark.parametrize("example", ["sentiment", "price", "bulk"])
def test_an_example_takes_no_more_than_100_lines(example):
    scripts = list((EXAMPLES / example).glob("*.py"))
    assert 0 < sum(map(lines_of_code, scripts)) <= MAX_LINES


@pytest.mark.server
@pytest.mark.end_to_end
def test_examples_pass_strict_mypy_against_the_installed_client(tmp_path):
    # In a folder without mypy configuration, the installed client is used.
    (tmp_path / "mypy.ini").write_text(
        f"[mypy]\nstrict = true\nexplicit_package_bases = true\nmypy_path = {EXAMPLES}\n"
        "[mypy-keras.*,tensorflow.*,ray.*]\nignore_missing_imports = true\nfollow_imports = skip\n"
    )
    scripts = sorted(EXAMPLES.glob("*/*.py"))
    cache = ROOT / ".mypy_cache" / "example-models"
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", cache, *scripts],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert f"no issues found in {len(scripts)} source files" in done.stdout, (
        done.stdout + done.stderr
    )
