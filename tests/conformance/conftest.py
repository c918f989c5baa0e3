"""The server that is shared by all recorded cases that change nothing."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import replace

import pytest
from conformance import case
from support import processes

# A case sends SIGHUP, which the parent process of the tests may have set to be ignored.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def base_server(tmp_path_factory):
    """A server of `case.BASE`, started as a user starts it."""
    with running(case.BASE, tmp_path_factory) as server:
        yield server


@pytest.fixture(scope="session")
def grpcio_server(tmp_path_factory):
    """The same server, but with grpcio as its gRPC server, which is not the default."""
    spec = replace(case.BASE, flags=(*case.BASE.flags, "--grpc_front=grpcio"))
    with running(spec, tmp_path_factory) as server:
        assert "gRPC is served by grpcio" in server.log.read_text()
        yield server


@contextmanager
def running(spec, tmp_path_factory):
    from conformance.server_under_test import ServerUnderTest  # imports TensorFlow

    folder = tmp_path_factory.mktemp("base") / "server"
    server = ServerUnderTest(spec, folder, processes.start_process)
    try:
        assert server.wait_until_open(), server.log.read_text()
        yield server
    finally:
        server.stop()
