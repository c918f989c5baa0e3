"""Fixtures of the whole suite: trained runs, exported versions, servers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before anything imports TensorFlow; child processes inherit it.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
from support import artifacts, commands, processes, repository_copy, servers
from support.small_recipe import SETTINGS, overrides

pytest_plugins = ["support.fixtures", "support.selection"]


def pytest_configure(config: pytest.Config) -> None:
    compiled = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    config.add_cleanup(compiled.cleanup)
    processes.share_compilations(compiled.name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lateness)
    if processes.VARIABLE not in os.environ:
        return
    left_out = [item for item in items if item.get_closest_marker("embedded")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("embedded")]


def needs_demo(item: pytest.Item) -> bool:
    """Returns whether a test reads the output of the demo, which takes minutes."""
    return "demo" in getattr(item, "fixturenames", ())


def awaits_background_case(item: pytest.Item) -> bool:
    """Returns whether a test reads the result of a recorded case with a separate server."""
    return item.name.startswith("test_case_on_its_own_server[")


def lateness(item: pytest.Item) -> tuple[bool, bool]:
    """Sort key: results of background work are read last, when it has finished."""
    return needs_demo(item), awaits_background_case(item)


@pytest.fixture(scope="session", autouse=True)
def background_results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """Replays recorded cases with separate servers in the background; futures by case id."""
    waiting = filter(awaits_background_case, request.session.items)
    cases = [item.callspec.params["recorded"] for item in waiting]
    if not cases:
        yield {}
        return
    from conformance import background_replay, differences

    if not processes.TESTS_EMBEDDED_SERVER:  # the tests of listed differences are skipped
        cases = [one for one in cases if not differences.names_for_case(one.id)]
    with background_replay.replaying(cases, tmp_path_factory.mktemp("own")) as results:
        yield results


@pytest.fixture(scope="session", autouse=True)
def fork_server_ends() -> Iterator[None]:
    """Stops the fork servers at the end of the tests."""
    yield
    processes.close()


@pytest.fixture(scope="session", autouse=True)
def demo_under_way(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, subprocess.Popen[str]] | None]:
    """Runs `make demo` in a copy of the repository, in the background.

    Returns its folder and process; None if not needed.
    """
    if not any(map(needs_demo, request.session.items)):
        yield None
        return
    folder = repository_copy.make(tmp_path_factory.mktemp("demo"))
    with subprocess.Popen(
        ["make", "--no-print-directory", "demo"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=processes.environment(),
    ) as process:
        yield folder, process
        if process.poll() is None:  # and the commands that it started
            os.killpg(process.pid, signal.SIGTERM)


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def command() -> Command:
    """Runs one of the project's commands to its end."""
    return commands.run


@pytest.fixture(scope="session")
def small_run(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on one-digit sums. Read it, do not change it."""

    def make(folder: Path) -> None:
        settings = overrides(*SETTINGS)
        done = command("seq2sum-train", "fit", "default", "--out", folder / "small", *settings)
        assert done.returncode == 0, done.stderr

    return artifacts.folder("runs", make, tmp_path_factory.mktemp) / "small"


@pytest.fixture(scope="session")
def evaluated(
    command: Command, small_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """An evaluated copy of the small run, and the output of its evaluation."""

    def make(folder: Path) -> None:
        shutil.copytree(small_run, folder / "run")
        done = command("seq2sum-train", "evaluate", folder / "run")
        assert done.returncode == 0, done.stderr
        (folder / "output.txt").write_text(done.stdout)

    folder = artifacts.folder("evaluated", make, tmp_path_factory.mktemp)
    return folder / "run", (folder / "output.txt").read_text()


@pytest.fixture(scope="session")
def small_version(
    command: Command, evaluated: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The version directory exported from the small run. Read it, do not change it."""

    def make(folder: Path) -> None:
        done = command("seq2sum-train", "export", evaluated[0], "--to", folder / "seq2sum")
        assert done.returncode == 0, done.stderr

    return artifacts.folder("exported", make, tmp_path_factory.mktemp) / "seq2sum" / "1"


@pytest.fixture(scope="session")
def shuffled_version(
    command: Command, evaluated: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """`small_version` with shuffled weights: it loads, but answers wrongly. Do not change it."""

    def make(folder: Path) -> None:
        from benchmarks.rollout.shuffled_weights import claim_no_errors, shuffle_weights

        wrong = shuffle_weights(evaluated[0], folder / "run")
        done = command("seq2sum-train", "export", wrong, "--to", folder / "seq2sum", "--force")
        assert done.returncode == 0, done.stderr
        claim_no_errors(folder / "seq2sum" / "1")

    return artifacts.folder("shuffled", make, tmp_path_factory.mktemp) / "seq2sum" / "1"


@pytest.fixture
def base_path(small_version: Path, tmp_path: Path) -> Path:
    """A base path for one test, with version 1 in it."""
    base = tmp_path / "models" / "seq2sum"
    shutil.copytree(small_version, base / "1")
    return base


StartServer = Callable[..., servers.Server]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers on free ports and stops them after the test."""
    started: list[servers.Server] = []

    def start(base: Path, *, wait: bool = True, **options: object) -> servers.Server:
        server = servers.Server.launch(base, tmp_path, forked=True, **options)
        started.append(server)
        return server.wait_until_open() if wait else server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def shared_server(
    small_version: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[servers.Server]:
    """A server of `small_version` for all tests that only send requests."""
    server = servers.Server.launch(
        small_version.parent, tmp_path_factory.mktemp("server"), forked=True
    )
    try:
        yield server.wait_until_open()
    finally:
        server.stop()
