"""Until when the certificate of a server is valid.

It is read without being checked: an expired one is what somebody should hear of, and the calls of
the prober check it anyway. Python's own reader knows checked certificates alone; so the one field
is read here, by the rules of DER.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import seq2sum

from seq2sum_serving.probe.sight import Certificate
from seq2sum_serving.rollout.targets import host_and_port

HTTP2 = "h2"
"""What gRPC speaks: its servers end a handshake that does not offer it."""
EXPLICIT_VERSION = 0xA0
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
"""Tags of DER."""
LONG = 0x80
"""The bit that says: the length follows in so many bytes."""


def shown(target: str, tls: seq2sum.TLS, left: Callable[[], float]) -> Certificate:
    """What a server shows.

    Args:
        target: Its gRPC address.
        tls: How it is asked: with the client's certificate, if there is one.
        left: The seconds that the next step may take.
    """
    try:
        return Certificate(not_after(_handshake(target, tls, left)))
    except (OSError, ValueError) as error:
        return Certificate(None, f"{target} shows no certificate: {error}")


def not_after(certificate: bytes) -> float:
    """The end of validity of an X.509 certificate in DER, in seconds since 1970.

    Raises:
        ValueError: It is no certificate.
    """
    try:
        [(_, whole)] = _elements(certificate)
        (_, signed), *_ = _elements(whole)
        fields = [content for tag, content in _elements(signed) if tag != EXPLICIT_VERSION]
        _serial, _algorithm, _issuer, validity, *_ = fields
        _, (tag, text) = _elements(validity)
        return _moment(tag, text.decode("ascii"))
    except (ValueError, IndexError) as error:
        raise ValueError("it is no X.509 certificate") from error


def _handshake(target: str, tls: seq2sum.TLS, left: Callable[[], float]) -> bytes:
    host, port = host_and_port(target)
    host = host.strip("[]")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([HTTP2])
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    with socket.create_connection((host, port), timeout=left()) as plain:
        plain.settimeout(left())
        with context.wrap_socket(plain, server_hostname=tls.server_name or host) as secure:
            return secure.getpeercert(binary_form=True) or b""


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents of what stands side by side."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & LONG:
            size = length ^ LONG
            length, at = int.from_bytes(data[at : at + size]), at + size
        if at + length > len(data):
            raise ValueError("it is cut short")
        yield tag, data[at : at + length]
        at += length


def _moment(tag: int, text: str) -> float:
    if tag not in (UTC_TIME, GENERALIZED_TIME):
        raise ValueError("it has no end")
    if tag == UTC_TIME:  # two digits for the year: from 1950 to 2049, by RFC 5280
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
