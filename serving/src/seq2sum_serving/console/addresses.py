"""Addresses of replicas as headings: as short as they can be and still tell them apart."""

from __future__ import annotations

from collections.abc import Sequence


def short(targets: Sequence[str]) -> list[str]:
    """Ports where the hosts are equal; hosts without what they share where the ports are."""
    parts = [_split(target) for target in targets]
    hosts, ports = [host for host, _ in parts], [port for _, port in parts]
    if len(targets) < 2 or len(set(targets)) < len(targets) or not all(ports):
        return list(targets)
    if len(set(hosts)) == 1:
        return [f":{port}" for port in ports]
    if len(set(ports)) == 1:
        return _without_domain(hosts)
    return list(targets)


def _split(target: str) -> tuple[str, str]:
    host, colon, port = target.rpartition(":")
    return (host, port) if colon and port.isdigit() else (target, "")


def _without_domain(hosts: Sequence[str]) -> list[str]:
    """Names of hosts without the labels at the end that all of them share."""
    if any(host.replace(".", "").isdigit() or ":" in host for host in hosts):
        return list(hosts)  # the end of an IP address is what tells it apart
    split = [host.split(".") for host in hosts]
    shared = 0
    while shared < min(map(len, split)) - 1 and len({part[-1 - shared] for part in split}) == 1:
        shared += 1
    return [".".join(part[: len(part) - shared]) for part in split]
