"""HTTP proxies: finds the environment variable that makes gRPC use one for a target.

gRPC decides when it opens a channel (src/core/handshaker/http_connect/http_proxy_mapper.cc in
grpc/grpc): it reads lower-case names only, the first of them that is set counts even if it is
empty, and only `http://` proxies are supported. This module repeats that decision, so that error
messages can name the variable.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from seq2sum import _target

PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")
EXCEPTIONS = ("no_grpc_proxy", "no_proxy")
ENABLED, OPTION = "grpc.enable_http_proxy", "grpc.http_proxy"
"""Channel options of gRPC that override the environment."""

ChannelOptions = tuple[tuple[str, str | int], ...]


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that gRPC uses for a target."""

    source: str
    """The environment variable or channel option that names it."""
    server: str
    """Its host and port, without credentials."""
    hosts: tuple[str, ...]
    """The hosts of the target."""

    def hint(self) -> str:
        """Returns the part of an error message that names the proxy and how to avoid it."""
        if self.source == OPTION:
            return f"calls go through the proxy {self.server} of the channel option {OPTION}"
        return (
            f"calls go through the proxy {self.server} because {self.source} is set; "
            f"to connect directly, set no_grpc_proxy={','.join(dict.fromkeys(self.hosts))}"
        )


def proxy_of(
    address: str, options: ChannelOptions, environment: Mapping[str, str] = os.environ
) -> Proxy | None:
    """Returns the proxy that gRPC uses for this target; None for a direct connection."""
    chosen = dict(options)
    hosts = _target.hosts(address)
    if not hosts or not chosen.get(ENABLED, 1):
        return None
    source, url = _first_set(PROXIES, environment)
    if OPTION in chosen:
        source, url = OPTION, str(chosen[OPTION])
    server = _server(url)
    if server is None or _all_excepted(hosts, environment):
        return None
    return Proxy(source, server, hosts)


def direct_options(address: str, environment: Mapping[str, str] = os.environ) -> ChannelOptions:
    """Returns the channel options that apply proxy exceptions to a list of addresses.

    gRPC compares the whole list, as one string, with each exception, so none matches; and it would
    ask the proxy to connect to a single host of that name.
    """
    hosts = _target.hosts(address)
    if len(hosts) > 1 and _all_excepted(hosts, environment):
        return ((ENABLED, 0),)
    return ()


def _all_excepted(hosts: tuple[str, ...], environment: Mapping[str, str]) -> bool:
    _, listed = _first_set(EXCEPTIONS, environment)
    entries = [entry.strip().lower() for entry in listed.split(",") if entry.strip()]
    return all(any(_matches(entry, host.lower()) for entry in entries) for host in hosts)


def _matches(entry: str, host: str) -> bool:
    """Returns whether an exception is this host, a parent domain, or a network that contains it."""
    if "/" not in entry:
        name = entry.removeprefix(".")
        return host == name or host.endswith(f".{name}")
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _first_set(names: tuple[str, ...], environment: Mapping[str, str]) -> tuple[str, str]:
    """Returns the first variable that is set, even if it is empty, and its value."""
    return next(((name, environment[name]) for name in names if name in environment), ("", ""))


def _server(url: str) -> str | None:
    """Returns host and port of the proxy; None for a URL that gRPC ignores."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.netloc.rpartition("@")[2] or None if parts.scheme == "http" else None
