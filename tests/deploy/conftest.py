"""Fixtures of several modules."""

from __future__ import annotations

import json
import shutil

import pytest
from conformance.case import FIXTURE
from deploy.ready_script import SUM


@pytest.fixture(scope="session")
def tiny_version(tmp_path_factory):
    """A version that answers sums and loads at once, with a golden request. Do not change it.

    It is the model of most recorded cases: for tests that need answers, but not the network.
    """
    folder = tmp_path_factory.mktemp("tiny") / "version"
    shutil.copytree(FIXTURE / "1", folder)
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "golden.jsonl").write_text(json.dumps(SUM) + "\n")
    return folder


@pytest.fixture
def golden(tmp_path, monkeypatch):
    """Writes golden.jsonl of version 1, which at first has the sum."""
    monkeypatch.setenv("MODEL_BASE_PATH", str(tmp_path / "base"))

    def write(*lines, folder="1"):
        path = tmp_path / "base" / folder / "assets.extra" / "golden.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
        path.write_text("".join(f"{text}\n" for text in texts))
        return path

    write(SUM)
    return write
