"""`pip install ./client` alone, in an empty environment."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.paths import ROOT

ALLOWED = {"seq2sum", "grpcio", "protobuf", "typing-extensions", "pip", "setuptools"}
TABLES = {"rich", "markdown-it-py", "mdurl", "pygments"}
"""What draws the tables of `seq2sum-rollout`."""
METRICS = {"prometheus-client"}
"""What `seq2sum-probe` exports with."""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An environment with the client and what it brings, and nothing else."""
    folder = tmp_path_factory.mktemp("install") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    subprocess.run(
        [
            folder / "bin" / "pip",
            "install",
            "--quiet",
            "--constraint",
            ROOT / "constraints.txt",
            ROOT / "client",
        ],
        check=True,
        capture_output=True,
        timeout=280,
    )
    return folder / "bin" / "python"


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_it_brings_neither_tensorflow_nor_numpy(python):
    installed = json.loads(run(python, "-m", "pip", "list", "--format=json"))
    names = {entry["name"].lower().replace("_", "-") for entry in installed}
    assert "seq2sum" in names
    assert names <= ALLOWED


def test_the_package_and_its_command_work(python):
    code = "import seq2sum; print(seq2sum.addition.contract.MODEL_NAME)"
    assert run(python, "-c", code) == "seq2sum\n"
    assert "add" in run(python.parent / "seq2sum", "--help")


def test_its_types_are_known(python):
    where = run(python, "-c", "import seq2sum; print(seq2sum.__path__[0])").strip()
    assert run("ls", where).split().count("py.typed") == 1


def test_what_operators_use_needs_no_tensorflow_either(python):
    """In the same environment, so it comes last."""
    pip = (python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt")
    subprocess.run([*pip, ROOT / "serving"], check=True, capture_output=True, timeout=280)
    installed = json.loads(run(python, "-m", "pip", "list", "--format=json"))
    names = {entry["name"].lower().replace("_", "-") for entry in installed}
    assert names <= ALLOWED | {"seq2sum-serving", *TABLES, *METRICS}
    assert "rollback" in run(python.parent / "seq2sum-rollout", "--help")
    assert "--once" in run(python.parent / "seq2sum-probe", "--help")
