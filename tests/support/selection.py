"""Selection of tests by what they need: markers, and the option `--quick`.

`--quick` runs what needs neither TensorFlow nor a server process, and no second of CPU time.
Modules whose `pytestmark` shows that all of their tests need one are not even imported: TensorFlow
alone takes longer to import than many tests take to run.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from support import processes, system
from support.paths import ROOT

NEEDS = ("tensorflow", "server", "system", "slow")
SERVER_FIXTURES = {
    "base_path", "base_server", "command", "evaluated", "shared_server", "shuffled_version",
    "small_run", "small_version", "start_process", "start_processes", "start_server",
    "tiny_version",
}  # fmt: skip
"""Fixtures that start processes: tests that use one get the marker `server`.

Fixtures with `autouse` are left out: every test uses them.
"""
CONTAINERS = ROOT / "tests" / "containers"
"""Tests that start containers: collected only for `-m containers`."""
MODULE_MARKS = re.compile(r"^pytestmark = (.*(?:\n[ \])].*)*)", re.MULTILINE)


def module_needs(source: str) -> set[str]:
    """Returns the markers that a module sets for all of its tests."""
    found = MODULE_MARKS.search(source)
    marks = found[1] if found else ""
    needs = {need for need in NEEDS if f"pytest.mark.{need}" in marks}
    return needs | {"system"} if "needs(" in marks else needs


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick", action="store_true", help="run only tests without TensorFlow and servers"
    )


def pytest_configure(config: pytest.Config) -> None:
    """With `--quick`, makes imports of TensorFlow and starts of servers fail."""
    if config.option.quick:
        settings.register_profile("quick", max_examples=8)
        settings.load_profile("quick")
        os.environ[processes.FORBIDDEN] = "1"
        sys.modules["tensorflow"] = None  # type: ignore[assignment]  # imports raise ImportError


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skips a module without importing it if none of its tests can run."""
    if collection_path == CONTAINERS and CONTAINERS.name not in config.option.markexpr:
        return True
    if not config.option.quick or collection_path.suffix != ".py":
        return None
    return bool(module_needs(collection_path.read_text())) or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if SERVER_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.server)
        if any(
            system.INSTALL_COMMAND in mark.kwargs["reason"] for mark in item.iter_markers("skipif")
        ):
            item.add_marker(pytest.mark.system)
    if config.option.quick:
        keep = [item for item in items if not any(map(item.get_closest_marker, NEEDS))]
        config.hook.pytest_deselected(items=[item for item in items if item not in keep])
        items[:] = keep
