"""Clients and servers that do not come to talk, and what the client is told."""

from __future__ import annotations

from dataclasses import dataclass

CLOSED = "the server closed the connection: "


@dataclass(frozen=True)
class Refusal:
    """A client that does not come to talk with a server."""

    server: str
    """Whose server's certificate, as a set; `plain` for none."""
    trusted: str
    """Whom the client trusts, as a set; empty for no TLS at all."""
    client: str
    """Whose certificate it shows; empty for none."""
    told: str
    """What it is told, before gRPC's own words."""


REFUSALS = {
    "the server is of another authority": Refusal(
        "ours", "other", "ours",
        "the server's TLS certificate is of an authority not trusted here: see TLS.ca or --ca (",
    ),
    "the server's certificate has expired": Refusal(
        "expired-server", "ours", "ours",
        "the server's TLS certificate has expired: it needs a new one (",
    ),
    "the server's certificate is for another name": Refusal(
        "elsewhere", "elsewhere", "elsewhere",
        "the server's TLS certificate is for another name: see TLS.server_name or --server-name (",
    ),
    "the client shows none": Refusal(
        "ours", "ours", "",
        f"{CLOSED}it may want a certificate of the client: see TLS.certificate or --cert (",
    ),
    "the client is of another authority": Refusal(
        "ours", "ours", "other",
        f"{CLOSED}it may not trust the authority of the client's certificate {{client.pem}}, which "
        "is valid until ",
    ),
    "the client's certificate has expired": Refusal(
        "ours", "ours", "expired-client",
        f"{CLOSED}the client's certificate {{client.pem}} has expired on ",
    ),
    "the client speaks no TLS": Refusal(
        "ours", "", "", f"{CLOSED}it may want TLS: see tls=TLS(ca=...) or --ca ("
    ),
    "the server speaks no TLS": Refusal(
        "plain", "ours", "ours",
        "the server does not speak TLS: connect without, or to another port (",
    ),
}  # fmt: skip
