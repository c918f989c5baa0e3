"""Fixtures: both clients, fake servers, and versions to deploy."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from typing import Any

import pytest
from seq2sum.testing import FakeServer
from support import broken_models
from support.both_clients import KINDS
from support.fake_processes import FakeProcess

FAILED = pytest.StashKey[bool]()
"""Key of a test's stash: whether its setup, call or teardown has failed."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(params=KINDS, ids=KINDS)
def kind(request):
    """A class of client: the synchronous or the asynchronous one."""
    return KINDS[request.param]


@pytest.fixture(params=KINDS)
def make_client(request):
    """Makes a `Client`, or an `AsyncClient` with the same methods; closes all after the test."""
    made = []

    def make(*args, **options):
        client = KINDS[request.param](*args, **options)
        made.append(client)
        return client

    yield make
    for client in made:
        client.__exit__(None, None, None)


@pytest.fixture
def undo(request):
    """Registers a deployment that tests share; its files are restored if this test fails."""
    registered = []

    def register(deployed):
        registered.append((deployed, deployed.files()))

    yield register
    for deployed, files in registered:
        if request.node.stash.get(FAILED, False):
            deployed.restore(files)


@pytest.fixture
def fake():
    """A fake server in this process."""
    with FakeServer() as server:
        yield server


@pytest.fixture
def start_processes():
    """Starts fake servers in separate processes and stops them after the test."""
    started = []

    def start(*processes):
        started.extend(process.start() for process in processes)
        for process in processes:
            process.wait_until_listening()
        return processes

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def start_process(start_processes):
    """Starts one fake server in a separate process and stops it after the test."""

    def start(**options):
        [process] = start_processes(FakeProcess(**options))
        return process

    return start


@pytest.fixture(scope="session")
def quick_version(small_version, tmp_path_factory):
    """A copy of `small_version` without warm-up, which loads in half the time. Do not change it."""
    folder = tmp_path_factory.mktemp("quick") / "version"
    return shutil.copytree(
        small_version, folder, ignore=shutil.ignore_patterns(broken_models.WARM_UP)
    )


@pytest.fixture(scope="session")
def bad_versions(quick_version, tmp_path_factory):
    """Folders of versions by name, each broken differently. Do not change them."""
    return broken_models.make_all(quick_version, tmp_path_factory.mktemp("bad"))
