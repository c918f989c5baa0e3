"""Addresses of the replicas: a list, or everything that a DNS name resolves to."""

from __future__ import annotations

import socket

from seq2sum_serving.deployment.errors import Failed, UsageError

DNS = "dns:///"


def resolve(targets: str) -> list[str]:
    """Returns the gRPC address of each replica.

    Args:
        targets: `host:port`, or several separated by commas, or `dns:///name:port`, where every
            current address of the name is a replica.

    Raises:
        UsageError: `targets` is not valid.
        Failed: The name does not resolve.
    """
    listed = _split(targets)
    if targets.startswith(DNS):
        host, port = split_address(listed[0])
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise Failed(f"{targets} does not resolve: {error.strerror or error}") from error
        return sorted({_join(str(address[4][0]), port) for address in found})
    return listed


def validate(targets: str, option: str = "--targets") -> None:
    """Checks the syntax of `targets`, as for `resolve`, without a DNS lookup.

    Raises:
        UsageError: `targets` is not valid; the message names the option.
    """
    _split(targets, option)


def split_address(target: str) -> tuple[str, int]:
    """Returns host and port of an address; an IPv6 host keeps its brackets.

    Raises:
        UsageError: The address is not valid.
    """
    host, colon, port = target.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(
            f"invalid target {target!r}: expected host:port with the gRPC port of a server, as in "
            "host:8500"
        )
    return host, int(port)


def _split(targets: str, option: str = "--targets") -> list[str]:
    """Returns the listed addresses, or the one name with its port."""
    if targets.startswith(DNS):
        name = targets.removeprefix(DNS)
        split_address(name)
        return [name]
    listed = [target.strip() for target in targets.split(",") if target.strip()]
    if not listed:
        raise UsageError(f"{option} is empty: expected host:port, or dns:///name:port")
    for target in listed:
        split_address(target)
    if len(set(listed)) < len(listed):
        raise UsageError(f"{option} lists a server twice: {targets}")
    return listed


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
