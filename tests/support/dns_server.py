"""A DNS server on a loopback port, with one name whose addresses a test may change."""

from __future__ import annotations

from collections.abc import Iterable

from dnslib import QTYPE, RCODE, RR, A
from dnslib.server import BaseResolver, DNSLogger, DNSServer

NAME = "seq2sum.test"


class Names(BaseResolver):
    """Answers what a test says, and counts how often it was asked."""

    def __init__(self, name: str, addresses: Iterable[str], seconds_to_keep: int) -> None:
        self.addresses = list(addresses)
        self.asked = 0
        self._name = name
        self._seconds_to_keep = seconds_to_keep

    def resolve(self, request, handler):  # noqa: ARG002 dnslib calls it with both
        reply = request.reply()
        if str(request.q.qname).rstrip(".") != self._name:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.A:
            self.asked += 1
            for address in self.addresses:
                found = RR(request.q.qname, QTYPE.A, rdata=A(address), ttl=self._seconds_to_keep)
                reply.add_answer(found)
        return reply


class NameServer:
    """The server; used by `with`.

    Args:
        addresses: What the name leads to.
        name: The one name that there is.
        seconds_to_keep: What answers say of how long they are good for.
    """

    def __init__(
        self, addresses: Iterable[str] = (), *, name: str = NAME, seconds_to_keep: int = 1
    ) -> None:
        self.names = Names(name, addresses, seconds_to_keep)
        self.name = name
        quiet = DNSLogger("-request,-reply,-truncated,-error", prefix=False)
        self._server = DNSServer(self.names, address="127.0.0.1", port=0, logger=quiet)

    @property
    def port(self) -> int:
        return self._server.server.server_address[1]

    def target(self, port: int, name: str | None = None) -> str:
        """What a client is to be told, of the name that there is or of one that there is not."""
        return f"dns://127.0.0.1:{self.port}/{name or self.name}:{port}"

    def __enter__(self) -> NameServer:
        self._server.start_thread()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._server.server.server_close()
        self._server.thread.join()
