"""Clients in processes that fork: multiprocessing, os.fork, and gunicorn with --preload."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import servers
from support.fake_processes import FakeProcess

pytestmark = pytest.mark.server

TESTS = Path(__file__).parents[1]
TIMEOUT = 60
PRE_FORK = "file descriptor was created pre fork"
"""A message that gRPC logs in about one in a thousand forks under load; it is harmless."""
COALESCED = pytest.mark.parametrize("coalesced", ["", "coalesced"], ids=["alone", "coalesced"])


def python(program, server, coalesced=""):
    """Runs a program of `forking.py`."""
    return subprocess.run(
        # Python 3.12 and later warn about any fork in a process with threads.
        [
            *(sys.executable, "-W", "ignore::DeprecationWarning", TESTS / "support" / "forking.py"),
            *(program, server.target, coalesced),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )


@pytest.fixture(scope="module")
def server():
    """A server for all tests of this module."""
    process = FakeProcess().start()
    try:
        yield process.wait_until_listening()
    finally:
        process.stop()


@pytest.fixture
def run(server):
    """Returns the lines that a program printed; its standard error must be empty."""

    def run(program, *, coalesced=""):
        done = python(program, server, coalesced)
        logged = [line for line in done.stderr.splitlines() if PRE_FORK not in line]
        assert (done.returncode, logged) == (0, [])
        return done.stdout.splitlines()

    return run


@COALESCED
def test_parent_and_child_use_the_same_client(run, coalesced):
    assert run("alternating", coalesced=coalesced) == ["2", "4", "4", "6", "10000", "8"]


@COALESCED
def test_process_pool_uses_the_parents_client(run, coalesced):
    assert run("in_pool", coalesced=coalesced) == ["2", "[4, 6, 8]", "2"]


@COALESCED
def test_fork_while_other_threads_make_calls(run, coalesced):
    assert run("under_load", coalesced=coalesced) == ["True []"]


def test_hanging_call_does_not_stop_a_fork(start_process):
    done = python("during_a_hanging_call", start_process(delay=TIMEOUT))
    assert done.stdout.splitlines() == ["True []", "['the client was closed']"]


@COALESCED
def test_async_client_works_in_child_and_parent_after_its_loop_closed(run, coalesced):
    assert run("asyncio_after_asyncio", coalesced=coalesced) == ["[2, 4]"] * 4


@COALESCED
def test_second_async_client_works_in_a_child_after_the_first_was_closed(run, coalesced):
    assert run("asyncio_after_closing", coalesced=coalesced) == ["2", "2"]


def test_async_client_of_a_running_loop_raises_in_the_child(server):
    done = python("asyncio_within_asyncio", server)
    before, error, after = done.stdout.splitlines()
    assert (before, after) == ("2", "4")
    assert error.startswith("RuntimeError: <seq2sum.AsyncClient of ")
    assert "forked while gRPC's asyncio was in use" in error


def test_client_works_under_gunicorn_with_preload(server, tmp_path):
    port = servers.free_port()
    log = tmp_path / "gunicorn.log"
    with log.open("wb") as file:
        gunicorn = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn"),
                *("support.preloaded_app:application", "--preload"),
                *("--workers", "2", "--bind", f"127.0.0.1:{port}", "--chdir", TESTS),
                *("--worker-tmp-dir", tmp_path, "--no-control-socket"),
            ],
            env={**os.environ, "SEQ2SUM_TARGET": server.target},
            stdout=file,
            stderr=file,
        )

    def ask(_):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/?20+22", timeout=TIMEOUT) as reply:
            return reply.read().decode().split()

    try:
        while b"Booting worker" not in log.read_bytes():
            assert gunicorn.poll() is None, log.read_text()
            time.sleep(0.01)
        with ThreadPoolExecutor(6) as callers:
            replies = list(callers.map(ask, range(18)))
        gunicorn.send_signal(signal.SIGTERM)
        assert gunicorn.wait(TIMEOUT) == 0
    finally:
        gunicorn.kill()
        gunicorn.wait()
    assert {tuple(each[1:]) for each in replies} == {("2", "42")}
    workers = {int(worker) for worker, *_ in replies}
    assert len(workers) == 2
    assert gunicorn.pid not in workers
    lines = log.read_text().splitlines()
    assert [line for line in lines if "[INFO]" not in line] == []
