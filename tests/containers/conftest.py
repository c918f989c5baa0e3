"""The container engine, its images, and projects of docker-compose.yml in temporary folders."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from containers import engine as engines
from containers import images, project
from containers.run import step, steps
from support import system

SECONDS = 2400
"""For a test with the set-up of its fixtures; that of the first one builds all images."""


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.containers)
            item.add_marker(pytest.mark.timeout(SECONDS))


def pytest_terminal_summary(terminalreporter):
    if not steps():
        return
    terminalreporter.section("steps with containers")
    for name, seconds in steps():
        terminalreporter.line(f"{seconds:8.1f} s  {name}")
    for line in _summary:
        terminalreporter.line(line)


_summary: list[str] = []


@pytest.fixture(scope="session")
def engine():
    """The container engine with all images. Without one, tests are skipped; in CI they fail."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the tests with all clean-up
    try:
        with engines.found() as found:
            stock = images.prepare(found)
            _summary.append(f"stock server: {stock}")
            names = map(images.of_service, images.OURS)
            _summary.extend(f"{images.size(found, name) / 1e6:8.0f} MB  {name}" for name in names)
            yield found
    except engines.NoEngine as reason:
        (pytest.fail if system.REQUIRED else pytest.skip)(str(reason))


@pytest.fixture(scope="session")
def trained(engine, tmp_path_factory):
    """A models folder that the service `train` filled, with the recipe `fast`."""
    with project.Project(engine, tmp_path_factory.mktemp("trained")) as opened:
        with step("train: recipe fast"):
            opened.compose("up", "--exit-code-from", "train", "train")
        kept = tmp_path_factory.mktemp("models")
        shutil.copytree(opened.models, kept, dirs_exist_ok=True)
        return kept


@pytest.fixture(scope="module")
def empty_project(engine, tmp_path_factory):
    """A project without a model."""
    with project.Project(engine, tmp_path_factory.mktemp("empty")) as opened:
        yield opened


@pytest.fixture(scope="module")
def filled_project(engine, trained, tmp_path_factory):
    """A project with version 1 of the model."""
    with project.Project(engine, tmp_path_factory.mktemp("filled"), models=trained) as opened:
        yield opened
