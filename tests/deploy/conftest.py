"""Fixtures of several modules."""

from __future__ import annotations

import json
import shutil

import pytest
from deploy.ready_script import SUM
from support import broken_models


@pytest.fixture(scope="session")
def version_without_warm_up(small_version, tmp_path_factory):
    """A version that loads in half the time. Do not change it."""
    folder = tmp_path_factory.mktemp("quick") / "version"
    return shutil.copytree(
        small_version, folder, ignore=shutil.ignore_patterns(broken_models.WARM_UP)
    )


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
