"""Replicas are a list of addresses, or everything that a DNS name resolves to."""

from __future__ import annotations

import socket

import pytest
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.targets import resolve


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("localhost:8500", ["localhost:8500"]),
        (" b:2, a:1 ,", ["b:2", "a:1"]),
        ("[::1]:8500,10.0.0.1:8500", ["[::1]:8500", "10.0.0.1:8500"]),
    ],
)
def test_list_of_addresses(text, addresses):
    assert resolve(text) == addresses


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--targets is empty"),
        (" , ", "--targets is empty"),
        ("host", "invalid target 'host': expected host:port"),
        (":8500", "invalid target ':8500': expected host:port"),
        ("host:", "invalid target 'host:': expected host:port"),
        ("host:0", "invalid target 'host:0': expected host:port"),
        ("host:65536", "invalid target 'host:65536': expected host:port"),
        ("http://host:x", "expected host:port"),
        ("a:1,b:2,a:1", "lists a server twice"),
        ("dns:///name", "invalid target 'name': expected host:port"),
    ],
)
def test_invalid_targets_are_refused(text, message):
    with pytest.raises(UsageError, match=message):
        resolve(text)


def patch_dns(monkeypatch, *addresses):
    def getaddrinfo(host, port, **_):
        assert (host, port) == ("pods.example", 8500)
        return [(None, None, None, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_name_resolves_to_all_its_addresses(monkeypatch):
    patch_dns(monkeypatch, "10.0.0.2", "10.0.0.1", "10.0.0.2", "fd00::1")
    assert resolve("dns:///pods.example:8500") == [
        "10.0.0.1:8500",
        "10.0.0.2:8500",
        "[fd00::1]:8500",
    ]


def test_name_that_does_not_resolve_is_an_error(monkeypatch):
    def getaddrinfo(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(Failed, match=r"pods\.example:8500 does not resolve: Name or service"):
        resolve("dns:///pods.example:8500")
