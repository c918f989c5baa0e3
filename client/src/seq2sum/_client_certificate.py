"""The expiry date of the client's certificate, for the error message when a server rejects it."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime

NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which `ssl.VerifyFlags` does not name: accepts certificates
that have expired."""


def expiry(certificate: str | os.PathLike[str], key: str | os.PathLike[str]) -> datetime | None:
    """Returns the end of validity of the first certificate in a PEM file; None if it is unknown.

    The `ssl` module decodes only certificates that it has verified. So a client presents this one
    in a handshake in memory, to a server that trusts no other and ignores the clock.

    Args:
        certificate: PEM file with the certificate, and those of the authorities that signed it.
        key: PEM file with its private key.
    """
    try:
        server = _context(ssl.PROTOCOL_TLS_SERVER, certificate, key)
        server.verify_mode = ssl.CERT_REQUIRED
        server.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | NO_CHECK_TIME
        server.load_verify_locations(certificate)
        client = _context(ssl.PROTOCOL_TLS_CLIENT, certificate, key)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        sides = (
            client.wrap_bio(to_client, to_server),
            server.wrap_bio(to_server, to_client, server_side=True),
        )
        for side in (*sides, *sides):  # one round trip and the client's certificate
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        decoded = sides[1].getpeercert() or {}
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(decoded["notAfter"])), UTC)
    except (OSError, ValueError, KeyError):  # an SSLError is an OSError
        return None


def _context(
    protocol: int, certificate: str | os.PathLike[str], key: str | os.PathLike[str]
) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.load_cert_chain(certificate, key, password=lambda: "")
    return context
