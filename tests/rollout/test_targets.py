"""Replicas are a list of addresses, or all that a name resolves to."""

from __future__ import annotations

import socket

import pytest
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.targets import resolve


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("localhost:8500", ["localhost:8500"]),
        (" b:2, a:1 ,", ["b:2", "a:1"]),
        ("[::1]:8500,10.0.0.1:8500", ["[::1]:8500", "10.0.0.1:8500"]),
    ],
)
def test_a_list_is_taken_as_it_is_written(written, found):
    assert resolve(written) == found


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "names no server"),
        (" , ", "names no server"),
        ("host", "'host' is no host:port"),
        (":8500", "':8500' is no host:port"),
        ("host:", "'host:' is no host:port"),
        ("host:0", "'host:0' is no host:port"),
        ("host:65536", "'host:65536' is no host:port"),
        ("http://host:x", "is no host:port"),
        ("a:1,b:2,a:1", "names a server twice"),
        ("dns:///name", "'name' is no host:port"),
    ],
)
def test_what_is_no_address_is_a_mistake(written, said):
    with pytest.raises(UsageError, match=said):
        resolve(written)


def resolving(monkeypatch, *found):
    def getaddrinfo(host, port, **_):
        assert (host, port) == ("pods.example", 8500)
        return [(None, None, None, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_every_address_of_a_name_is_a_replica(monkeypatch):
    resolving(monkeypatch, "10.0.0.2", "10.0.0.1", "10.0.0.2", "fd00::1")
    assert resolve("dns:///pods.example:8500") == [
        "10.0.0.1:8500",
        "10.0.0.2:8500",
        "[fd00::1]:8500",
    ]


def test_a_name_that_does_not_resolve_is_told(monkeypatch):
    def getaddrinfo(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(Failed, match=r"pods\.example:8500 does not resolve: Name or service"):
        resolve("dns:///pods.example:8500")
