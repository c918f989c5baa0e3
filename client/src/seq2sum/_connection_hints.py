"""Hints about why a running server does not accept this client's connection.

A gRPC server that rejects a client closes the connection without a reason. gRPC's error text, and
the credentials that the client presents, narrow the cause down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from seq2sum._proxy import Proxy

CLOSED = "backends failing.*Socket closed"
PROXIED = "calls go through the proxy "
HINTS = (
    (
        "WRONG_VERSION_NUMBER",
        "the server does not speak TLS: connect without TLS, or to another port",
    ),
    (
        "Hostname Verification|is not in peer certificate",  # the second by gRPC 1.75
        "the server's TLS certificate is for another name: see TLS.server_name or --server-name",
    ),
    ("certificate has expired", "the server's TLS certificate has expired: it needs a new one"),
    ("not yet valid", "the server's TLS certificate is not valid yet: compare the clocks"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "the server's TLS certificate was issued by an untrusted authority: see TLS.ca or --ca",
    ),
)
"""Patterns of gRPC's error texts for connections that fail, and their meanings."""


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """The credentials that a client presents to servers, and the proxy in between."""

    encrypted: bool = False
    certificate: str | None = None
    """The path of its certificate."""
    expires_at: datetime | None = None
    """The certificate's end of validity."""
    proxy: Proxy | None = None
    """The HTTP proxy that gRPC connects through."""

    def hint(self) -> str:
        """Returns what may be wrong with it if a server closes the connection."""
        if not self.encrypted:
            return "it may require TLS: see tls=TLS(ca=...) or --ca"
        if self.certificate is None:
            return "it may require a client certificate: see TLS.certificate or --cert"
        if self.expires_at is None:
            return f"it may not accept the client's certificate {self.certificate}"
        when = f"{self.expires_at:%Y-%m-%d %H:%M} UTC"
        if self.expires_at <= datetime.now(UTC):
            return f"the client's certificate {self.certificate} expired on {when}"
        return (
            f"it may not trust the authority of the client's certificate {self.certificate}, "
            f"which is valid until {when}"
        )


ANONYMOUS = ClientIdentity()


def with_hint(details: str, identity: ClientIdentity) -> str:
    """Returns gRPC's error text, preceded by its meaning if that is known.

    A proxy comes first: the user does not see it, and it may be the cause of any failure.
    """
    if identity.proxy is not None:
        direct = replace(identity, proxy=None)
        return f"{identity.proxy.hint()} ({with_hint(details, direct)})"
    if re.search(CLOSED, details):
        return f"the server closed the connection: {identity.hint()} ({details})"
    for pattern, hint in HINTS:
        if re.search(pattern, details):
            return f"{hint} ({details})"
    return details


def is_connection_hint(details: str) -> bool:
    """Returns whether this text, with or without a hint, is about a running server or proxy."""
    return any(re.search(pattern, details) for pattern in (PROXIED, CLOSED, *dict(HINTS)))
