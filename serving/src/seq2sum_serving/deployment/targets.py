"""Which servers are the replicas: a list of addresses, or all that a name resolves to."""

from __future__ import annotations

import socket

from seq2sum_serving.deployment.errors import Failed, UsageError

DNS = "dns:///"


def resolve(targets: str) -> list[str]:
    """The gRPC address of each replica.

    Args:
        targets: `host:port`, several with commas between, or `dns:///name:port`: then every
            address of the name is a replica, as of now.

    Raises:
        UsageError: It is written otherwise.
        Failed: The name does not resolve.
    """
    listed = _listed(targets)
    if targets.startswith(DNS):
        host, port = split_address(listed[0])
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Failed(f"{targets} does not resolve: {error.strerror or error}") from error
        return sorted({_joined(str(address[4][0]), port) for address in found})
    return listed


def validate(targets: str) -> None:
    """Looks whether it is written as `addresses` takes it; asks nobody.

    Raises:
        UsageError: It is not.
    """
    _listed(targets)


def split_address(target: str) -> tuple[str, int]:
    """The parts of an address; an IPv6 host keeps its brackets.

    Raises:
        UsageError: It is no address.
    """
    host, colon, port = target.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(
            f"{target!r} is no host:port with the gRPC port of a server, as in host:8500"
        )
    return host, int(port)


def _listed(targets: str) -> list[str]:
    """What is named: addresses, or one name with its port."""
    if targets.startswith(DNS):
        name = targets.removeprefix(DNS)
        split_address(name)
        return [name]
    listed = [target.strip() for target in targets.split(",") if target.strip()]
    if not listed:
        raise UsageError("--targets names no server: write host:port, or dns:///name:port")
    for target in listed:
        split_address(target)
    if len(set(listed)) < len(listed):
        raise UsageError(f"--targets names a server twice: {targets}")
    return listed


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
