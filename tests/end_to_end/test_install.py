"""`pip install ./client` alone, in an empty environment."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.paths import ROOT

pytestmark = pytest.mark.server

ALLOWED = {"seq2sum", "grpcio", "protobuf", "typing-extensions", "pip", "setuptools"}
TABLES = {"rich", "markdown-it-py", "mdurl", "pygments"}
"""Dependencies of `seq2sum-rollout`, for its tables."""
PROBE = {"prometheus-client", "cryptography", "cffi", "pycparser"}
"""Dependencies of `seq2sum-probe`, for metrics and certificates."""
POLICY = {"msgspec"}
"""Dependencies of the gates, to read their policy."""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An environment with only the client and its dependencies."""
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


def test_the_client_depends_on_neither_tensorflow_nor_numpy(python):
    installed = json.loads(run(python, "-m", "pip", "list", "--format=json"))
    names = {entry["name"].lower().replace("_", "-") for entry in installed}
    assert "seq2sum" in names
    assert names <= ALLOWED


def test_the_package_and_its_command_work(python):
    code = "import seq2sum; print(seq2sum.addition.contract.MODEL_NAME)"
    assert run(python, "-c", code) == "seq2sum\n"
    assert "add" in run(python.parent / "seq2sum", "--help")


def test_the_package_is_typed(python):
    folder = run(python, "-c", "import seq2sum; print(seq2sum.__path__[0])").strip()
    assert run("ls", folder).split().count("py.typed") == 1


def test_rollout_and_probe_do_not_depend_on_tensorflow(python):
    """Must be the last test: it installs into the same environment."""
    pip = (python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt")
    subprocess.run([*pip, ROOT / "serving"], check=True, capture_output=True, timeout=280)
    installed = json.loads(run(python, "-m", "pip", "list", "--format=json"))
    names = {entry["name"].lower().replace("_", "-") for entry in installed}
    assert names <= ALLOWED | {"seq2sum-serving", *TABLES, *PROBE, *POLICY}
    assert "rollback" in run(python.parent / "seq2sum-rollout", "--help")
    assert "--once" in run(python.parent / "seq2sum-probe", "--help")
