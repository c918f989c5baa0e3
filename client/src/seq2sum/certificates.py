"""Until when an X.509 certificate is good, read from its bytes: Python has nothing public for that.

`ssl` tells it of certificates that it has checked, and what is looked for here are those that would
not pass: an expired one is what somebody should hear of. What is trusted is for gRPC to say.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
EXPLICIT_VERSION = 0xA0
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
"""Tags of DER."""
LONG = 0x80
"""The bit that says: the length follows in so many bytes."""


def not_after(der: bytes) -> datetime:
    """The end of validity of a certificate in DER (RFC 5280, 4.1.2.5).

    Raises:
        ValueError: It is no certificate.
    """
    try:
        [(_, whole)] = _elements(der)
        (_, signed), *_ = _elements(whole)
        fields = [content for tag, content in _elements(signed) if tag != EXPLICIT_VERSION]
        _serial, _algorithm, _issuer, validity, *_ = fields
        _, (tag, text) = _elements(validity)
        return _moment(tag, text.decode("ascii"))
    except (ValueError, IndexError) as error:
        raise ValueError("it is no X.509 certificate") from error


def first_not_after(pem: bytes) -> datetime | None:
    """The same of the first certificate in a PEM text; None if that cannot be told."""
    found = CERTIFICATE.search(pem)
    try:
        return not_after(binascii.a2b_base64(found[1])) if found else None
    except ValueError:
        return None


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tags and contents of what stands side by side."""
    at = 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & LONG:
            size = length ^ LONG
            length, at = int.from_bytes(der[at : at + size]), at + size
        if at + length > len(der):
            raise ValueError("it is cut short")
        yield tag, der[at : at + length]
        at += length


def _moment(tag: int, text: str) -> datetime:
    if tag not in (UTC_TIME, GENERALIZED_TIME):
        raise ValueError("it has no end")
    if tag == UTC_TIME:  # two digits for the year: from 1950 to 2049
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
