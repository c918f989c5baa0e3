"""A DNS server on a loopback port, for one name whose addresses a test can change."""

from __future__ import annotations

from collections.abc import Iterable

from dnslib import QTYPE, RCODE, RR, A
from dnslib.server import BaseResolver, DNSLogger, DNSServer

NAME = "seq2sum.test"


class Names(BaseResolver):
    """Resolves names to their current addresses, and counts the queries for the first one."""

    def __init__(self, name: str, addresses: Iterable[str], ttl: int) -> None:
        self.addresses = list(addresses)
        self.others: dict[str, list[str]] = {}
        """Addresses of further names."""
        self.queries = 0
        self._name = name
        self._ttl = ttl

    def resolve(self, request, handler):  # noqa: ARG002 dnslib calls it with both
        reply = request.reply()
        name = str(request.q.qname).rstrip(".")
        known = {self._name: self.addresses, **self.others}
        if name not in known:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.A:
            self.queries += name == self._name
            for address in known[name]:
                record = RR(request.q.qname, QTYPE.A, rdata=A(address), ttl=self._ttl)
                reply.add_answer(record)
        return reply


class NameServer:
    """A DNS server that runs in a `with` block.

    Args:
        addresses: The addresses of the name.
        name: The name; `names.others` can add further ones.
        ttl: Time to live of the records, in seconds.
    """

    def __init__(self, addresses: Iterable[str] = (), *, name: str = NAME, ttl: int = 1) -> None:
        self.names = Names(name, addresses, ttl)
        self.name = name
        quiet = DNSLogger("-request,-reply,-truncated,-error", prefix=False)
        self._server = DNSServer(self.names, address="127.0.0.1", port=0, logger=quiet)

    @property
    def port(self) -> int:
        return self._server.server.server_address[1]

    def target(self, port: int, name: str | None = None) -> str:
        """Returns a gRPC target with a name that this server resolves, by default its own."""
        return f"dns://127.0.0.1:{self.port}/{name or self.name}:{port}"

    def __enter__(self) -> NameServer:
        self._server.start_thread()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._server.server.server_close()
        self._server.thread.join()
