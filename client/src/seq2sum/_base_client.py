"""The configuration of all clients. It validates everything and opens nothing."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable, Callable, Collection, Iterable, Mapping, Sequence
from types import EllipsisType
from typing import Any, ClassVar, TypeVar

import grpc

from seq2sum import _channel, _errors, _forks, _metadata, _proxy, _slots, _target
from seq2sum._channel import TLS, KeepAlive, Retry
from seq2sum._coalescing import Coalescing
from seq2sum._deadline import Deadline
from seq2sum._metadata import Header, Headers, Token
from seq2sum._methods import GET_MODEL_STATUS, PREDICT, Method
from seq2sum._nested_lists import InvalidValue
from seq2sum._numbers import integer, seconds
from seq2sum._options import CallOptions, CallTarget
from seq2sum._proxy import ChannelOptions
from seq2sum._servable import Servable
from seq2sum._shadow import Shadow
from seq2sum._signatures import SignatureCache
from seq2sum._split import Split, is_target
from seq2sum._split_file import SplitFile

Result = TypeVar("Result")

AUTHORITY = "grpc.default_authority"
DEFAULT_TARGET = "localhost:8500"
DEFAULT_TIMEOUT = 10.0
"""Seconds. Servers reply in milliseconds; a call that takes this long should fail."""
STREAM_MAX_IN_FLIGHT = 8
"""RPCs of a stream or a bulk call at a time: more than a few large ones bring no throughput, and
may fill a server's queue of batches."""
STREAM_ROWS = 512
"""Rows in flight up to which a stream may have more than `STREAM_MAX_IN_FLIGHT` small RPCs, because
a server with batching merges them."""


class BaseClient:
    """The base of all clients: their configuration, and its use for each call."""

    _default_model: ClassVar[str | None] = None
    """The model's name if the configuration has none."""

    def __init__(
        self,
        target: str | Sequence[str] = DEFAULT_TARGET,
        *,
        model: str | None = None,
        label: str | None = None,
        timeout: float | None = DEFAULT_TIMEOUT,
        max_in_flight: int | None = None,
        coalescing: Coalescing | None = None,
        split: Split | SplitFile | None = None,
        shadow: Shadow | None = None,
        tls: TLS | None = None,
        token: Token | None = None,
        metadata: Headers = (),
        retry: Retry | None = None,
        keepalive: KeepAlive | None = None,
        compression: grpc.Compression | None = None,
        interceptors: Sequence[Any] = (),
        channel_options: Sequence[tuple[str, str | int]] = (),
    ) -> None:
        """Validates the configuration. The first call opens the channel.

        Args:
            target: `host:port` of a server's gRPC port, or any gRPC target: `dns:///name:port`
                balances the calls over all addresses of the name. Or a list of `IP:port`, which
                are balanced too.
            model: Name under which the server serves the model; only the clients of addition
                have a default, `seq2sum`.
            label: Version label for calls that name neither a version nor a label; excludes a
                split.
            timeout: Seconds for each method call, all of its RPCs together; None for no limit.
            max_in_flight: Maximum number of RPCs in flight to each target; further ones wait in the
                client. None for a limit that grows to 64 while calls wait. If the server refuses a
                call because it has no free thread, the client lowers the limit and sends the call
                again.
            coalescing: Limits for sharing RPCs between concurrent calls of `predict` or `add`;
                None for one RPC per call.
            split: Weights of labels, versions or targets, for calls that name no version or label;
                another program can change those of a `SplitFile`.
            shadow: A second version that receives a copy of the calls.
            tls: Encryption; None for none.
            token: Sent as `authorization: Bearer …` with each call; needs `tls`.
            metadata: Headers sent with each call, or a function that returns them.
            retry: Retries of calls that reach no server; None for the defaults of `Retry`.
            keepalive: Pings while calls are in flight; None for the defaults of `KeepAlive`.
            compression: gRPC's compression of requests; None for none.
            interceptors: gRPC client interceptors; for an asyncio client, those of `grpc.aio`.
            channel_options: gRPC channel options; they override the client's own.

        Raises:
            ValueError: A value is not valid, or two of them exclude each other.
            TypeError: A value is of the wrong type.
        """
        if token is not None and tls is None:
            raise ValueError("a token needs tls: without it, the token could be read on the way")
        self._address = _target.address(target)
        self.target = target if isinstance(target, str) else ",".join(target)
        model = self._default_model if model is None else model
        if model is None:
            raise TypeError(f'{type(self).__name__} needs the name of a model: model="..."')
        servable = Servable(model, label=label)
        self.model, self.label = servable.model, servable.label
        self._own_target = CallTarget(servable)
        if label is not None and split is not None:
            raise ValueError("label and split exclude each other: a split chooses the label")
        for name, value, kinds in (
            ("coalescing", coalescing, (Coalescing,)),
            ("split", split, (Split, SplitFile)),
            ("shadow", shadow, (Shadow,)),
            ("tls", tls, (TLS,)),
            ("retry", retry, (Retry,)),
            ("keepalive", keepalive, (KeepAlive,)),
        ):
            if value is not None and not isinstance(value, kinds):
                expected = " or ".join(f"seq2sum.{kind.__name__}(...)" for kind in kinds)
                raise TypeError(f"invalid {name} {value!r}: expected {expected}")
        self.timeout = None if timeout is None else seconds("timeout", timeout)
        self.max_in_flight = (
            None if max_in_flight is None else integer("max_in_flight", max_in_flight, least=1)
        )
        self.coalescing = coalescing
        self.split = split
        self.shadow = shadow
        for each in (self._address, *(filter(is_target, split.weights) if split else ())):
            _channel.check_server_name(str(each), tls)
        self._tls = tls
        self._token = token
        if token is not None and not callable(token):
            _metadata.checked_token(token)
        self._metadata = metadata if callable(metadata) else _metadata.checked(metadata)
        self._compression = compression
        self._interceptors = tuple(interceptors)
        self._channel_options = _channel.options(
            retry=retry or Retry(),
            keepalive=keepalive or KeepAlive(),
            tls=tls,
            extra=channel_options,
        )
        self._signatures = SignatureCache()
        self._last_split = None if split is None else split.current
        self._closed = False
        self._reset_after_fork()
        _forks.register(self)

    def _reset_after_fork(self) -> None:
        """Drops the connection in a forked child: it belongs to the parent."""
        raise NotImplementedError

    def _keep_connections(self, variants: Collection[str | int]) -> None:
        """Drops the connections to targets that are not among the variants of the split.

        They are not closed, because calls may be in flight: a channel ends with the last reference.
        """
        raise NotImplementedError

    def _has_aio_channel(self) -> bool:
        """Returns whether a gRPC asyncio channel is open on a running loop."""
        return False

    def __repr__(self) -> str:
        """The class, the target and the model."""
        return f"<seq2sum.{type(self).__name__} of {self.target}, model {self.model}>"

    def _connection_options(self, address: str | None) -> dict[str, Any]:
        """Returns the configuration of a connection to a target of the split, or the client's."""
        channel_options = self._current_channel_options(address)
        return {
            "address": address or self.target,
            "identity": _channel.identity(self._tls, address or self._address, channel_options),
            "max_in_flight": self.max_in_flight,
            "headers": self._headers,
            "coalescing": self.coalescing,
            "shadow": self.shadow,
        }

    def _stream_limits(
        self, inputs: object, batch_size: int | None, max_in_flight: int | None
    ) -> tuple[int | None, int]:
        """Returns the rows per RPC, and the maximum number of RPCs in flight.

        The rows are None if each input is that of a whole call.

        Raises:
            TypeError: The inputs are those of a single call, not a stream.
        """
        single = isinstance(inputs, Mapping | str | bytes)
        if single or not isinstance(inputs, Iterable | AsyncIterable):
            raise TypeError("expected an iterable of inputs, not those of one call: see predict()")
        rows = batch_size
        if rows is not None:
            rows = integer("batch_size", rows, least=1, most=sys.maxsize)
        return rows, self._stream_limit(max_in_flight, rows)

    def _stream_limit(self, max_in_flight: int | None = None, rows: int | None = None) -> int:
        """Returns the maximum number of RPCs in flight for a stream.

        Args:
            max_in_flight: The limit that the caller chose; None for the default.
            rows: Rows per RPC; None if they are not known.
        """
        limit = self.max_in_flight if max_in_flight is None else max_in_flight
        if limit is not None:
            return integer("max_in_flight", limit, least=1)
        small = STREAM_ROWS // rows if rows else 0
        return max(STREAM_MAX_IN_FLIGHT, min(small, _slots.LARGEST))

    def _checked(self, build: Callable[[], Result], target: CallTarget) -> Result:
        """Returns the result of `build`; converts InvalidValue to InvalidInput for this target."""
        try:
            return build()
        except InvalidValue as error:
            address = target.address or self.target
            raise _errors.invalid_input(str(error), address, target.servable) from error

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(f"{self!r} is closed")

    def _resolve(
        self,
        method: Method[Any, Any] = PREDICT,
        /,
        *,
        version: int | None = None,
        label: str | None = None,
        key: str | bytes | None = None,
        timeout: float | EllipsisType | None = ...,
        metadata: Sequence[Header] = (),
        **unknown: object,
    ) -> tuple[CallTarget, Deadline]:
        """Returns the target and the deadline of a call with these `CallOptions`.

        The client's split or label chooses the version if the call names none. GetModelStatus
        reports on all versions, so neither applies to it.
        """
        if unknown:
            raise TypeError(
                f"unexpected keyword argument {next(iter(unknown))!r}: the options of a call are "
                f"{', '.join(CallOptions.__annotations__)}"
            )
        deadline = Deadline(self.timeout if isinstance(timeout, EllipsisType) else timeout)
        if method is GET_MODEL_STATUS:
            target = CallTarget(Servable(self.model, version))
        elif version is not None or label is not None:
            target = CallTarget(Servable(self.model, version, label))
        else:
            target = self._own_target if self.split is None else self._chosen(self.split, key)
        if metadata:
            target = target._replace(metadata=_metadata.checked(metadata))
        return target, deadline

    def _chosen(self, split: Split | SplitFile, key: str | bytes | None) -> CallTarget:
        """Returns the target that the split chooses for this key."""
        current = split.current
        if current is not self._last_split:
            self._last_split = current
            self._keep_connections(current.weights)
        chosen = current.choose(key)
        if isinstance(chosen, int):
            return CallTarget(Servable(self.model, version=chosen))
        if is_target(chosen):
            return CallTarget(Servable(self.model), address=chosen)
        return CallTarget(Servable(self.model, label=chosen))

    def _awaited(self, version: int | None, label: str | None) -> CallTarget:
        """Returns the target that `wait_until_available` waits for."""
        if version is None and label is None:
            return self._own_target
        return CallTarget(Servable(self.model, version, label))

    def _headers(self, target: CallTarget) -> tuple[Header, ...]:
        configured = self._metadata
        if self._token is None and not callable(configured):
            return configured + target.metadata
        headers = _metadata.checked(configured()) if callable(configured) else configured
        return (*_metadata.with_token(headers, self._token), *target.metadata)

    def _current_channel_options(self, address: str | None) -> ChannelOptions:
        """Returns the channel options, with those for the proxies of the current environment.

        Raises:
            ValueError: A target of a `SplitFile` has several addresses, and `tls` no server name.
        """
        address = address or self._address
        _channel.check_server_name(address, self._tls)
        options = (*_proxy.direct_options(address), *self._channel_options)
        authority = _target.default_authority(address)
        if authority is None or AUTHORITY in dict(options):  # of `tls`, or of the user
            return options
        return (*options, (AUTHORITY, authority))
