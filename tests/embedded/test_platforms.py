"""The server without what glibc and Linux provide, by simulation: on macOS and without glibc.

That our code uses no other name of Linux alone is checked by mypy: `make check`.
"""

from __future__ import annotations

import ctypes
import json
import os
import shlex
import shutil
import signal
import socket
import sys
import urllib.request
from types import SimpleNamespace

import pytest
from seq2sum import ModelClient
from seq2sum_serving.embedded import cpus, environment, memory
from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.errors import StartupError
from seq2sum_serving.embedded.ports import reserved
from seq2sum_serving.embedded.rpc import native_support
from support import processes
from support.paths import ROOT
from support.servers import Server, free_port
from tensorflow_serving.config import model_server_config_pb2

MACOS_SERVER = (sys.executable, ROOT / "tests" / "support" / "macos_server.py")
FIXTURE = ROOT / "tests" / "conformance" / "fixture"
UTF_8 = "utf-8"


def config(**settings):
    return ServerConfig(models=model_server_config_pb2.ModelServerConfig(), **settings)


@pytest.fixture(params=["macOS", "a C library other than glibc"])
def no_glibc(request, monkeypatch):
    if request.param == "macOS":
        monkeypatch.setattr("sys.platform", "darwin")
        monkeypatch.setattr(ctypes, "CDLL", None)
    else:
        monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())


@pytest.mark.usefixtures("no_glibc")
def test_without_glibc_malloc_stays_as_it_is_and_the_server_does_not_restart():
    memory.configure_malloc()
    memory.trim()
    assert environment.required({"A": "b"}, UTF_8) == {"A": "b"}


@pytest.mark.parametrize(("machine", "usable"), [(6, 6), (None, 1)])
def test_without_affinity_all_cpus_of_the_machine_are_usable(monkeypatch, machine, usable):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: machine)
    assert cpus.usable() == usable


def test_affinity_limits_the_usable_cpus(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert cpus.usable() == 2


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("simulate", "reason"),
    [
        (lambda patch: patch.setattr("sys.platform", "darwin"), "needs Linux"),
        (lambda patch: patch.setitem(sys.modules, native_support.LIBRARY, None), "not installed"),
    ],
)
def test_where_pygrpc_native_cannot_serve_grpcio_does_and_the_log_has_the_reason(
    simulate, reason, monkeypatch, caplog
):
    from seq2sum_serving.embedded.rpc.front import make_server
    from seq2sum_serving.embedded.rpc.grpc_server import GrpcServer

    simulate(monkeypatch)
    caplog.set_level("INFO")
    chosen = make_server({}, config(port=free_port()))
    assert isinstance(chosen, GrpcServer)
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("gRPC is served by grpcio: ")
    assert reason in line
    with pytest.raises(StartupError, match=f"native is not possible: .*{reason}"):
        native_support.check(config(port=free_port(), grpc_front="native"))


def test_a_port_is_reserved_on_macos(monkeypatch):
    def not_connected(*_):
        raise OSError("Socket is not connected")

    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setattr(socket.socket, "shutdown", not_connected)
    address = ("127.0.0.1", free_port())
    ours = config(host=address[0], port=address[1])
    with reserved(ours), socket.socket() as early:
        assert early.connect_ex(address) != 0
        with pytest.raises(OSError, match="in use"), socket.socket() as other:
            other.bind(address)
    with (
        socket.create_server(address),
        pytest.raises(StartupError, match="stop what uses it"),
        reserved(ours),
    ):
        pass


@pytest.mark.embedded
@pytest.mark.server
def test_server_serves_and_stops_without_what_macos_lacks(tmp_path):
    template = f"{shlex.join(map(str, MACOS_SERVER))} {processes.FLAGS}"
    base = tmp_path / "fixture"
    shutil.copytree(FIXTURE / "1", base / "1")
    server = Server.launch(base, tmp_path, model_name="fixture", rest=True, template=template)
    try:
        server.wait_until_open()
        with ModelClient(server.target, model="fixture") as client:
            [answer] = client.predict({"questions": ["1+2"]})["answers"].strings
        body = json.dumps({"inputs": {"questions": ["1+2"]}}).encode()
        with urllib.request.urlopen(f"{server.url}/v1/models/fixture:predict", body) as reply:
            assert json.load(reply)["outputs"]["answers"] == [answer]
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
    finally:
        server.stop()
    log = server.log.read_text()
    assert "gRPC is served by grpcio: the graceful stop of pygrpc-native needs Linux" in log
    assert "Traceback" not in log
