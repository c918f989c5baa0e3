"""A DNS server that answers as Docker's does: all addresses of `replica`, to be kept for long."""

from __future__ import annotations

from collections.abc import Iterable

from support import dns_server

SECONDS_TO_KEEP = 600
"""What Docker's resolver says; whoever believes it asks dead addresses for ten minutes."""


class NameServer(dns_server.NameServer):
    """The server; used by `with`."""

    def __init__(self, addresses: Iterable[str]) -> None:
        super().__init__(addresses, name="replica", ttl=SECONDS_TO_KEEP)
