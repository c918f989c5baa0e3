"""Reads the end of validity from an X.509 certificate, without checking whether it is trusted.

The public functions of `ssl` do so only for certificates that it has verified, and the purpose here
is to report one that has expired.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
EXPLICIT_VERSION = 0xA0
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
"""DER tags."""
LONG = 0x80
"""DER: the bit of a length octet that marks the number of length octets that follow."""


def not_after(der: bytes) -> datetime:
    """Returns the end of validity of a certificate in DER (RFC 5280, 4.1.2.5).

    Raises:
        ValueError: The bytes are not a certificate.
    """
    try:
        [(_, whole)] = _elements(der)
        (_, signed), *_ = _elements(whole)
        fields = [content for tag, content in _elements(signed) if tag != EXPLICIT_VERSION]
        _serial, _algorithm, _issuer, validity, *_ = fields
        _, (tag, text) = _elements(validity)
        return _time(tag, text.decode("ascii"))
    except (ValueError, IndexError) as error:
        raise ValueError("not an X.509 certificate") from error


def first_not_after(pem: bytes) -> datetime | None:
    """Returns the end of validity of the first certificate in a PEM text; None if there is none."""
    found = CERTIFICATE.search(pem)
    try:
        return not_after(binascii.a2b_base64(found[1])) if found else None
    except ValueError:
        return None


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields the tag and content of each element in a sequence of DER elements."""
    at = 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length & LONG:
            size = length ^ LONG
            length, at = int.from_bytes(der[at : at + size]), at + size
        if at + length > len(der):
            raise ValueError("truncated")
        yield tag, der[at : at + length]
        at += length


def _time(tag: int, text: str) -> datetime:
    if tag not in (UTC_TIME, GENERALIZED_TIME):
        raise ValueError("unknown type of time")
    if tag == UTC_TIME:  # two digits for the year: from 1950 to 2049
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
