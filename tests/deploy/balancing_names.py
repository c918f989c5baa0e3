"""A DNS server that answers as Docker's does: all addresses of `replica`, to be kept for long."""

from __future__ import annotations

from collections.abc import Iterable

from dnslib import QTYPE, RCODE, RR, A
from dnslib.server import BaseResolver, DNSLogger, DNSServer

NAME = "replica"
SECONDS_TO_KEEP = 600
"""What Docker's resolver says; whoever believes it asks dead addresses for ten minutes."""


class Names(BaseResolver):
    """The name and its addresses, which a test may change."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self.addresses = list(addresses)

    def resolve(self, request, handler):  # noqa: ARG002 dnslib calls it with both
        reply = request.reply()
        if str(request.q.qname).rstrip(".") != NAME:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.A:
            for address in self.addresses:
                reply.add_answer(RR(request.q.qname, rdata=A(address), ttl=SECONDS_TO_KEEP))
        return reply


class NameServer:
    """The server, on a loopback port of its own; used by `with`."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self.names = Names(addresses)
        quiet = DNSLogger("-request,-reply,-truncated,-error", prefix=False)
        self._server = DNSServer(self.names, address="127.0.0.1", port=0, logger=quiet)

    @property
    def port(self) -> int:
        return self._server.server.server_address[1]

    def target(self, port: int) -> str:
        """What a client of gRPC is to be told."""
        return f"dns://127.0.0.1:{self.port}/{NAME}:{port}"

    def __enter__(self) -> NameServer:
        self._server.start_thread()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._server.server.server_close()
        self._server.thread.join()
