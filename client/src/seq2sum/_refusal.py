"""Why a server that is there does not talk with the client: gRPC's words, and what they mean.

A gRPC server that does not take a client closes the connection and gives no reason. What the
client has shown of itself narrows it down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from seq2sum._proxy import Proxy

CLOSED = "backends failing.*Socket closed"
PROXIED = "calls go through the proxy "
HINTS = (
    ("WRONG_VERSION_NUMBER", "the server does not speak TLS: ask without, or at another port"),
    (
        "Hostname Verification",
        "the server's TLS certificate is for another name: see TLS.server_name or --server-name",
    ),
    ("certificate has expired", "the server's TLS certificate has expired: it needs a new one"),
    ("not yet valid", "the server's TLS certificate is not valid yet: compare the clocks"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "the server's TLS certificate is of an authority not trusted here: see TLS.ca or --ca",
    ),
)
"""What gRPC says when no connection comes about, and what it means."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client shows of itself to servers."""

    encrypted: bool = False
    certificate: str | None = None
    """The file of its certificate."""
    until: datetime | None = None
    """When that ends."""
    proxy: Proxy | None = None
    """The HTTP proxy that gRPC reaches them through."""

    def hint(self) -> str:
        """What may be wrong with it, if a server closes the connection."""
        if not self.encrypted:
            return "it may want TLS: see tls=TLS(ca=...) or --ca"
        if self.certificate is None:
            return "it may want a certificate of the client: see TLS.certificate or --cert"
        if self.until is None:
            return f"it may not accept the client's certificate {self.certificate}"
        when = f"{self.until:%Y-%m-%d %H:%M} UTC"
        if self.until <= datetime.now(UTC):
            return f"the client's certificate {self.certificate} has expired on {when}"
        return (
            f"it may not trust the authority of the client's certificate {self.certificate}, "
            f"which is good until {when}"
        )


NOTHING = Shown()


def explained(details: str, shown: Shown) -> str:
    """GRPC's words, behind what they mean where that is known.

    A proxy comes first: the user does not see it, and any failure may be its own.
    """
    if shown.proxy is not None:
        return f"{shown.proxy.hint()} ({explained(details, replace(shown, proxy=None))})"
    if re.search(CLOSED, details):
        return f"the server closed the connection: {shown.hint()} ({details})"
    for pattern, hint in HINTS:
        if re.search(pattern, details):
            return f"{hint} ({details})"
    return details


def is_one(details: str) -> bool:
    """Whether these words, explained or not, tell of a server or a proxy that is there."""
    return any(re.search(pattern, details) for pattern in (PROXIED, CLOSED, *dict(HINTS)))
