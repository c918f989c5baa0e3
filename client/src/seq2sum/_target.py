"""Targets: where a channel goes, checked before gRPC takes a typing error for something else.

gRPC takes port 99999 for 34463 and -1 for 65535, `::1:8500` for an address without a port, and
looks up `http://host` as a name.
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
"""Schemes of gRPC for one address or several."""
SOCKETS = ("unix", "unix-abstract")
OTHERS = ("vsock", "xds", "google-c2p", "google-c2p-experimental")
"""Schemes whose targets gRPC alone understands."""
HOST_NAME = re.compile(r"[\w.-]+")
"""Letters of any script: resolvers take international names."""


def address(target: str | Sequence[str]) -> str:
    """Returns the target as gRPC takes it: unchanged, or one of several addresses.

    Raises:
        ValueError: It is not a target, or one of several is not `IP:port`.
        TypeError: It is neither a text nor a list of texts.
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
        raise ValueError(f"{list(target)}: give one address or more, all IPv4 or all IPv6")
    if versions == {4}:
        return "ipv4:" + ",".join(f"{ip}:{port}" for ip, port in parsed)
    return "ipv6:" + ",".join(f"[{quote(str(ip), safe=':')}]:{port}" for ip, port in parsed)


def hosts(address: str) -> tuple[str, ...]:
    """Returns the hosts of a target that was checked; none for a Unix domain socket."""
    scheme, rest = _scheme(address)
    if scheme == "unix":
        return ()
    parts = rest.split(",") if scheme in ADDRESSES else [rest]
    return tuple(_split(part)[0] for part in parts)


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
        _refuse(target, "several addresses are a list of IP:PORT")
    else:
        _host_and_port(rest, whole=target)


def _scheme(target: str) -> tuple[str, str]:
    """The scheme, empty if gRPC does not know it, and what it names: without a DNS server."""
    scheme, _, rest = target.partition(":")
    scheme = scheme.lower()
    if scheme not in ("dns", *ADDRESSES, *SOCKETS, *OTHERS):
        return "", target
    if scheme in SOCKETS:
        return scheme, rest
    rest = unquote(rest)  # a target without a scheme is encoded by gRPC
    if rest.startswith("//"):
        _, slash, named = rest[2:].partition("/")
        if not slash and scheme == "dns":
            _refuse(target, f"expected dns:///{SINGLE}; between the second and the third slash "
                    "stands the DNS server to ask")  # fmt: skip
        return scheme, named
    return scheme, rest.removeprefix("/")


def _split(text: str) -> tuple[str, str | None]:
    """Host and port, without brackets; None for no port."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, port[1:] if port else None
    host, colon, port = text.partition(":")
    return host, port if colon else None


def _host_and_port(text: str, *, whole: str) -> tuple[str, int | None]:
    """Checks a host name or an address, and its port if there is one: gRPC's own is 443."""
    bracketed = re.fullmatch(r"\[([^\[\]]+)\](:.*)?", text)
    if bracketed is None and text.count(":") > 1:
        _refuse(whole, f"an IPv6 address stands in brackets, like [::1]:8500; expected {SINGLE}")
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
    # gRPC's own schemes for addresses take no names, not even this one.
    ip = _ip("127.0.0.1" if host == "localhost" and version is None else host)
    if ip is None or port is None or version not in (None, ip.version):
        raise ValueError(
            f"invalid address {text!r}: expected IP:PORT; a host name is a target by itself, "
            "dns:///NAME:PORT, and stands for all addresses that it resolves to"
        )
    return ip, port


def _ip(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _refuse(target: str, why: str) -> NoReturn:
    raise ValueError(f"invalid target {target!r}: {why}")
