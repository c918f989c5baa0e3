"""What both clients are told at the start. It checks everything and opens nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc

from seq2sum import _channel, _forks, _metadata, _proxy, _target
from seq2sum._channel import TLS, KeepAlive, Retry
from seq2sum._coalescing import Coalesce
from seq2sum._deadline import Deadline, Default, Timeout
from seq2sum._how import Plan, Route
from seq2sum._metadata import Header, Headers, Token
from seq2sum._numbers import seconds, whole
from seq2sum._proxy import Options
from seq2sum._refusal import Shown
from seq2sum._servable import Servable
from seq2sum._shadow import Shadow
from seq2sum._split import Split
from seq2sum._split_file import SplitFile
from seq2sum.addition import contract

DEFAULT_TARGET = "localhost:8500"
DEFAULT_TIMEOUT = 10.0
"""Seconds. A loaded server answers in milliseconds; what takes longer is worth an error."""
DEFAULT_IN_FLIGHT = 8
"""Calls at a time. A stock server takes 4 for each CPU and refuses the rest; more than a few
bring no throughput."""


class Configured:
    """The base of both clients: configuration, and the way back to the start after a fork."""

    def __init__(
        self,
        target: str | Sequence[str] = DEFAULT_TARGET,
        *,
        model: str = contract.MODEL_NAME,
        timeout: float | None = DEFAULT_TIMEOUT,
        in_flight: int = DEFAULT_IN_FLIGHT,
        coalesce: Coalesce | None = None,
        split: Split | SplitFile | None = None,
        shadow: Shadow | None = None,
        tls: TLS | None = None,
        token: Token | None = None,
        metadata: Headers = (),
        retry: Retry | None = None,
        keepalive: KeepAlive | None = None,
        compression: grpc.Compression | None = None,
        interceptors: Sequence[Any] = (),
        options: Sequence[tuple[str, str | int]] = (),
    ) -> None:
        """Nothing is opened before the first call.

        Args:
            target: `host:port` of a server's gRPC port, or any gRPC target: `dns:///name:port`
                shares the calls between all that the name resolves to. Or a list of `IP:port`,
                which share them too.
            model: Name under which the server serves the model.
            timeout: Seconds for each method call, all of its RPCs together; None for no limit.
            in_flight: RPCs under way at a time; more wait here for their turn.
            coalesce: How concurrent calls of `add` share RPCs; None for an RPC each.
            split: How calls are shared between labels or versions, where a call names none;
                a `SplitFile` lets another program change it.
            shadow: A version that is asked the same, off the caller's path.
            tls: Encryption; None for none.
            token: Sent as `authorization: Bearer …` with each call; needs `tls`.
            metadata: Headers sent with each call, or what gives them.
            retry: Retries of calls that found no server; None for the defaults of `Retry`.
            keepalive: Pings of silent connections; None for the defaults of `KeepAlive`.
            compression: How gRPC compresses requests; None for not at all.
            interceptors: gRPC client interceptors, for the sync or the async client as it is.
            options: gRPC channel options; they win over the client's own.

        Raises:
            ValueError: A value is not valid, or two of them do not go together.
            TypeError: A value is of the wrong type.
        """
        if token is not None and tls is None:
            raise ValueError("a token needs tls: without, anyone on the way could read it")
        self._address = _target.address(target)
        self.target = target if isinstance(target, str) else ",".join(target)
        self.model = Servable(model).model
        self.timeout = None if timeout is None else seconds("timeout", timeout)
        self.in_flight = whole("in_flight", in_flight, least=1)
        self.coalesce = coalesce
        self.split = split
        self.shadow = shadow
        _channel.check_name(self._address, tls)
        self._tls = tls
        self._token = token
        if token is not None and not callable(token):
            _metadata.checked_token(token)
        self._metadata = metadata if callable(metadata) else _metadata.checked(metadata)
        self._compression = compression
        self._interceptors = tuple(interceptors)
        self._options = _channel.options(
            retry=retry or Retry(), keepalive=keepalive or KeepAlive(), tls=tls, extra=options
        )
        self._closed = False
        self._forget()
        _forks.register(self)

    def _forget(self) -> None:
        """Begins anew in a forked child: what the parent has open is the parent's."""
        raise NotImplementedError

    def _keeps_asyncio(self) -> bool:
        """Whether there is an asyncio channel; before a fork, a dead one is given up."""
        return False

    def __repr__(self) -> str:
        """What it is, and where it asks."""
        return f"<seq2sum.{type(self).__name__} of {self.target}, model {self.model}>"

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(f"{self!r} is closed")

    def _way(self, plan: Plan) -> tuple[Route, Deadline]:
        """Where a call goes, and by when it must be back."""
        return self._route(plan), self._deadline(plan.timeout)

    def _deadline(self, timeout: Timeout) -> Deadline:
        return Deadline(self.timeout if isinstance(timeout, Default) else timeout)

    def _route(self, plan: Plan) -> Route:
        """Where a call goes; the split decides if the call does not."""
        version, label = plan.version, plan.label
        if self.split is not None and version is None and label is None:
            side = self.split.side(plan.key)
            version, label = (side, None) if isinstance(side, int) else (None, side)
        return Route(Servable(self.model, version, label), _metadata.checked(plan.metadata))

    def _headers(self, route: Route) -> tuple[Header, ...]:
        given = self._metadata
        headers = _metadata.checked(given()) if callable(given) else given
        return (*_metadata.with_token(headers, self._token), *route.metadata)

    def _options_now(self) -> Options:
        """The channel's options, as the environment has it when the channel is opened."""
        return (*_proxy.direct_options(self._address), *self._options)

    def _shown_now(self) -> Shown:
        """What servers get to see, of that moment."""
        return _channel.shown(self._tls, self._address, self._options_now())
