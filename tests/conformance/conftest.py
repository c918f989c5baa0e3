"""The server that is shared by all recorded cases that change nothing."""

from __future__ import annotations

import signal

import pytest
from conformance import case
from support import processes

# A case sends SIGHUP, which the parent process of the tests may have set to be ignored.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def base_server(tmp_path_factory):
    """A server of `case.BASE`, started as a user starts it."""
    from conformance.server_under_test import ServerUnderTest  # imports TensorFlow

    folder = tmp_path_factory.mktemp("base") / "server"
    server = ServerUnderTest(case.BASE, folder, processes.start_process)
    try:
        assert server.wait_until_open(), server.log.read_text()
        yield server
    finally:
        server.stop()
