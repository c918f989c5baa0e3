"""Ports are reserved before anything is loaded."""

from __future__ import annotations

import socket

import pytest
from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.errors import StartupError
from seq2sum_serving.embedded.ports import reserved
from support.servers import free_port
from tensorflow_serving.config import model_server_config_pb2


def config(**settings):
    return ServerConfig(models=model_server_config_pb2.ModelServerConfig(), **settings)


def test_second_server_on_a_port_fails_while_the_first_one_loads():
    first = config(port=free_port(), rest_port=free_port())
    same_port = config(port=first.port)
    same_rest = config(port=free_port(), rest_port=first.rest_port)
    with reserved(first):
        for second, flag in ((same_port, "--port"), (same_rest, "--rest_api_port")):
            message = f"cannot listen on .* or choose another with {flag}"
            with pytest.raises(StartupError, match=message), reserved(second):
                pass
        with socket.socket() as early:  # nothing listens yet
            assert early.connect_ex(("127.0.0.1", first.port)) != 0
        with socket.socket() as sharing:  # as tensorflow_model_server opens its port
            sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            with pytest.raises(OSError, match="in use"):
                sharing.bind(("127.0.0.1", first.port))
    for port in (first.port, first.rest_port):
        socket.create_server(("127.0.0.1", port)).close()


def test_failed_reservation_releases_the_other_ports():
    taken = config(port=free_port(), rest_port=free_port())
    with socket.create_server(("127.0.0.1", taken.rest_port)):
        with pytest.raises(StartupError), reserved(taken):
            pass
        socket.create_server(("127.0.0.1", taken.port)).close()


def test_disabled_rest_reserves_no_port():
    port = free_port()
    disabled = config(port=free_port(), rest_port=port, monitoring_error="file not found")
    with socket.create_server(("127.0.0.1", port)), reserved(disabled):
        pass
