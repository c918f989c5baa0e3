"""A DNS server on a loopback port, with one name whose addresses a test may change."""

from __future__ import annotations

from collections.abc import Iterable

from dnslib import QTYPE, RCODE, RR, A
from dnslib.server import BaseResolver, DNSLogger, DNSServer

NAME = "seq2sum.test"


class Names(BaseResolver):
    """Answers what a test says, and counts how often it was asked."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    def resolve(self, request, handler):  # noqa: ARG002 dnslib calls it with both
        reply = request.reply()
        if str(request.q.qname).rstrip(".") != NAME:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.A:
            self.asked += 1
            for address in self.addresses:
                reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(address), ttl=1))
        return reply


class NameServer:
    """The server; used by `with`."""

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        self.names = Names(addresses)
        quiet = DNSLogger("-request,-reply,-truncated,-error", prefix=False)
        self._server = DNSServer(self.names, address="127.0.0.1", port=0, logger=quiet)

    def target(self, port: int, name: str = NAME) -> str:
        """What a client is to be told."""
        mine = self._server.server.server_address[1]
        return f"dns://127.0.0.1:{mine}/{name}:{port}"

    def __enter__(self) -> NameServer:
        self._server.start_thread()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._server.server.server_close()
        self._server.thread.join()
