"""Fixtures of several modules."""

from __future__ import annotations

import shutil

import pytest
from support import broken_models


@pytest.fixture(scope="session")
def version_without_warm_up(small_version, tmp_path_factory):
    """A version that loads in half the time. Do not change it."""
    folder = tmp_path_factory.mktemp("quick") / "version"
    return shutil.copytree(
        small_version, folder, ignore=shutil.ignore_patterns(broken_models.WARM_UP)
    )
