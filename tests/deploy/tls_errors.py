"""Clients whose TLS connections fail, and the error messages that they get."""

from __future__ import annotations

from dataclasses import dataclass

CLOSED = "the server closed the connection: "


@dataclass(frozen=True)
class TlsError:
    """A combination of client and server that cannot connect.

    The fields name sets of certificates.
    """

    server: str
    """The server's certificate; `plain` for none."""
    trusted: str
    """The authority that the client trusts; empty for no TLS."""
    client: str
    """The client's certificate; empty for none."""
    message: str
    """The start of the error message, before gRPC's own text."""


TLS_ERRORS = {
    "server of an unknown authority": TlsError(
        "ours", "other", "ours",
        "the server's TLS certificate is not signed by a trusted authority: see TLS.ca or --ca (",
    ),
    "expired certificate of the server": TlsError(
        "expired-server", "ours", "ours",
        "the server's TLS certificate has expired: it needs a new one (",
    ),
    "server with another name": TlsError(
        "elsewhere", "elsewhere", "elsewhere",
        "the server's TLS certificate is for another name: see TLS.server_name or --server-name (",
    ),
    "client without a certificate": TlsError(
        "ours", "ours", "",
        f"{CLOSED}it may require a client certificate: see TLS.certificate or --cert (",
    ),
    "client of an unknown authority": TlsError(
        "ours", "ours", "other",
        f"{CLOSED}it may not trust the authority of the client's certificate {{client.pem}}, which "
        "is valid until ",
    ),
    "expired certificate of the client": TlsError(
        "ours", "ours", "expired-client",
        f"{CLOSED}the client's certificate {{client.pem}} expired on ",
    ),
    "client without TLS": TlsError(
        "ours", "", "", f"{CLOSED}it may require TLS: see tls=TLS(ca=...) or --ca ("
    ),
    "server without TLS": TlsError(
        "plain", "ours", "ours",
        "the server does not speak TLS: connect without it, or to another port (",
    ),
}  # fmt: skip
