"""Which servers are the replicas: a list of addresses, or all that a name resolves to."""

from __future__ import annotations

import socket

from seq2sum_serving.deployment.errors import Failed, Mistake

DNS = "dns:///"


def addresses(targets: str) -> list[str]:
    """The gRPC address of each replica.

    Args:
        targets: `host:port`, several with commas between, or `dns:///name:port`: then every
            address of the name is a replica, as of now.

    Raises:
        Mistake: It is written otherwise.
        Failed: The name does not resolve.
    """
    listed = _listed(targets)
    if targets.startswith(DNS):
        host, port = host_and_port(listed[0])
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Failed(f"{targets} does not resolve: {error.strerror or error}") from error
        return sorted({_joined(str(address[4][0]), port) for address in found})
    return listed


def check(targets: str) -> None:
    """Looks whether it is written as `addresses` takes it; asks nobody.

    Raises:
        Mistake: It is not.
    """
    _listed(targets)


def host_and_port(target: str) -> tuple[str, int]:
    """The parts of an address; an IPv6 host keeps its brackets.

    Raises:
        Mistake: It is no address.
    """
    host, colon, port = target.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise Mistake(f"{target!r} is no host:port with the gRPC port of a server, as in host:8500")
    return host, int(port)


def _listed(targets: str) -> list[str]:
    """What is named: addresses, or one name with its port."""
    if targets.startswith(DNS):
        name = targets.removeprefix(DNS)
        host_and_port(name)
        return [name]
    listed = [target.strip() for target in targets.split(",") if target.strip()]
    if not listed:
        raise Mistake("--targets names no server: write host:port, or dns:///name:port")
    for target in listed:
        host_and_port(target)
    if len(set(listed)) < len(listed):
        raise Mistake(f"--targets names a server twice: {targets}")
    return listed


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
