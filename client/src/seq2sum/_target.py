"""Channel targets, validated here because gRPC misreads typos.

gRPC reads port 99999 as 34463 and -1 as 65535, `::1:8500` as an address without a port, and
resolves `http://host` as a host name.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import NoReturn
from urllib.parse import quote, unquote

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

SINGLE = "HOST:PORT"
ADDRESSES = {"ipv4": 4, "ipv6": 6}
"""gRPC's schemes for one or several addresses."""
SOCKETS = ("unix", "unix-abstract")
OTHERS = ("vsock", "xds", "google-c2p", "google-c2p-experimental")
"""Schemes whose targets are not validated here."""
ZONE = re.compile(r"%[^\]]*")
"""Zone of an IPv6 address, which has no meaning for a server."""
HOST_NAME = re.compile(r"[\w.-]+")
"""Letters of any script: resolvers accept international names."""


def address(target: str | Sequence[str]) -> str:
    """Returns the target in gRPC's syntax: unchanged, or with a list of addresses joined.

    Raises:
        ValueError: The target is not valid, or an address of a list is not `IP:PORT`.
        TypeError: It is neither a string nor a list of strings.
    """
    given: object = target
    if isinstance(given, str):
        _check(given)
        return given
    if isinstance(given, bytes | bytearray) or not isinstance(given, Iterable):
        raise TypeError(f"invalid target {given!r}: expected {SINGLE} or a list of IP:PORT")
    parsed = [_ip_and_port(each) for each in target]
    versions = {ip.version for ip, _ in parsed}
    if len(versions) != 1:
        raise ValueError(
            f"invalid target {list(target)}: expected one or more addresses, all IPv4 or all IPv6"
        )
    if versions == {4}:
        return "ipv4:" + ",".join(f"{ip}:{port}" for ip, port in parsed)
    return "ipv6:" + ",".join(f"[{quote(str(ip), safe=':')}]:{port}" for ip, port in parsed)


def hosts(address: str) -> tuple[str, ...]:
    """Returns the hosts of a valid target; none for `unix:`, where gRPC uses no proxy."""
    scheme, rest = _scheme(address)
    if scheme == "unix":
        return ()
    parts = rest.split(",") if scheme in ADDRESSES else [rest]
    return tuple(_split(part)[0] for part in parts)


def default_authority(address: str) -> str | None:
    """Returns the first of several addresses; None for another target.

    gRPC would send the whole list as the `:authority` of each call, and servers whose HTTP/2 is
    strict refuse one with a comma (those that use Rust's `http` crate do).
    """
    scheme, rest = _scheme(address)
    first, comma, _ = rest.partition(",")
    return ZONE.sub("", first) if scheme in ADDRESSES and comma else None


def _check(target: str) -> None:
    if not target or not target.isprintable() or " " in target:
        _refuse(target, f"expected {SINGLE} without blanks")
    scheme, rest = _scheme(target)
    if scheme in ADDRESSES:
        for part in rest.split(","):
            _ip_and_port(part, whole=target, version=ADDRESSES[scheme])
    elif scheme in SOCKETS:
        if not rest:
            _refuse(target, f"expected a path after {scheme}:")
    elif scheme in OTHERS:
        return
    elif "://" in target and scheme != "dns":
        unknown = target.partition("://")[0]
        _refuse(target, f"gRPC has no scheme {unknown!r}; write {SINGLE}, and use tls= for TLS")
    elif "," in rest:
        _refuse(target, "give several addresses as a list of IP:PORT")
    else:
        _host_and_port(rest, whole=target)


def _scheme(target: str) -> tuple[str, str]:
    """Returns the scheme, empty if gRPC does not know it, and the rest without a DNS server."""
    scheme, _, rest = target.partition(":")
    scheme = scheme.lower()
    if scheme not in ("dns", *ADDRESSES, *SOCKETS, *OTHERS):
        return "", target
    if scheme in SOCKETS:
        return scheme, rest
    rest = unquote(rest)  # gRPC decodes targets that have a scheme
    if rest.startswith("//"):
        _, slash, named = rest[2:].partition("/")
        if not slash and scheme == "dns":
            _refuse(target, f"expected dns:///{SINGLE}; the part between the second and third "
                    "slash is the DNS server")  # fmt: skip
        return scheme, named
    return scheme, rest.removeprefix("/")


def _split(text: str) -> tuple[str, str | None]:
    """Returns host and port, without brackets; None for no port."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, port[1:] if port else None
    host, colon, port = text.partition(":")
    return host, port if colon else None


def _host_and_port(text: str, *, whole: str) -> tuple[str, int | None]:
    """Returns a host name or address, and its port; None for gRPC's default, 443."""
    bracketed = re.fullmatch(r"\[([^\[\]]+)\](:.*)?", text)
    if bracketed is None and text.count(":") > 1:
        _refuse(whole, f"write an IPv6 address in brackets, like [::1]:8500; expected {SINGLE}")
    host, port = _split(text)
    if not host:
        _refuse(whole, f"the host is missing; expected {SINGLE}")
    if bracketed is not None:
        if _ip(host) is None or ":" not in host:
            _refuse(whole, f"{host!r} is not an IPv6 address")
    elif HOST_NAME.fullmatch(host) is None or host.isdigit():
        _refuse(whole, f"{host!r} is not a host name; expected {SINGLE}")
    if port is None:
        return host, None
    if not (port.isascii() and port.isdigit() and len(port) < 9 and 1 <= int(port) <= 65535):
        _refuse(whole, f"port {port!r} is not a number from 1 to 65535")
    return host, int(port)


def _ip_and_port(
    text: object, *, whole: str | None = None, version: int | None = None
) -> tuple[Address, int]:
    if not isinstance(text, str):
        raise TypeError(f"invalid address {text!r}: expected text like IP:PORT")
    whole = text if whole is None else whole
    if not text.isprintable() or " " in text:
        _refuse(whole, "expected IP:PORT without blanks")
    host, port = _host_and_port(text, whole=whole)
    # gRPC's address schemes accept no names, not even localhost.
    ip = _ip("127.0.0.1" if host == "localhost" and version is None else host)
    if ip is None or port is None or version not in (None, ip.version):
        raise ValueError(
            f"invalid address {text!r}: expected IP:PORT; for all addresses of a host name, use "
            "the single target dns:///NAME:PORT"
        )
    return ip, port


def _ip(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _refuse(target: str, why: str) -> NoReturn:
    raise ValueError(f"invalid target {target!r}: {why}")
