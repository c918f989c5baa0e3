"""Until when a certificate is good, read from its bytes: Python has nothing public for that.

It is looked at for messages only. What is trusted is for gRPC and the server to say.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime

CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
VERSION, UTC_TIME = 0xA0, 0x17
"""DER's tags of an optional first field, and of times with two digits for the year."""
VALIDITY, NOT_AFTER = 3, 1
"""Places of fields: serial number, algorithm, issuer, validity; not before, not after."""


def until(pem: bytes) -> datetime | None:
    """When the first certificate in a PEM text ends; None if that cannot be told."""
    found = CERTIFICATE.search(pem)
    if found is None:
        return None
    try:
        [(_, certificate)] = _elements(binascii.a2b_base64(found[1]))
        _, body = next(_elements(certificate))
        fields = [content for tag, content in _elements(body) if tag != VERSION]
        tag, text = list(_elements(fields[VALIDITY]))[NOT_AFTER]
        # The standard gives times in seconds and UTC; %y splits the centuries nearly as it does.
        layout = "%y%m%d%H%M%SZ" if tag == UTC_TIME else "%Y%m%d%H%M%SZ"
        return datetime.strptime(text.decode("ascii"), layout).replace(tzinfo=UTC)
    except (ValueError, IndexError, StopIteration):
        return None


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element that stands in these bytes, one after the other."""
    at = 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length > 127:  # then it is the number of the bytes that hold the length
            size = length & 127
            length, at = int.from_bytes(der[at : at + size]), at + size
        yield tag, der[at : at + length]
        at += length
