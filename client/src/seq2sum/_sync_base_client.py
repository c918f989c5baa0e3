"""The base of the synchronous clients: the life of the connection, and the state of versions."""

from __future__ import annotations

import threading
import time
import warnings
from collections import deque
from collections.abc import Collection, Iterator
from typing import Self, TypeVar, Unpack

import grpc

from seq2sum import _calls, _forks
from seq2sum._base_client import BaseClient
from seq2sum._calls import PendingCall
from seq2sum._connection import Connection
from seq2sum._deadline import Deadline
from seq2sum._errors import Seq2SumError
from seq2sum._methods import GET_MODEL_STATUS
from seq2sum._options import CallOptions, CallTarget
from seq2sum._single_flight import ThreadFlights
from seq2sum._versions import ModelMetadata, VersionStatus
from seq2sum._waiting import AvailabilityWait

CLOSE_TIMEOUT = 1.0
"""Seconds to wait for a channel to close when the program is interrupted."""

Result = TypeVar("Result")


class SyncBaseClient(BaseClient):
    """The methods of all synchronous clients."""

    _connections: dict[str | None, Connection]
    """By the target that a split has chosen; None for that of the client."""

    def versions(self, **options: Unpack[CallOptions]) -> list[VersionStatus]:
        """Returns the status of every version of the model that the server knows, newest first.

        Args:
            options: See `seq2sum.CallOptions`; with a version, of that version alone. Labels are
                ignored.

        Raises:
            CallError: The call failed; the subclass says why.
        """
        target, deadline = self._resolve(GET_MODEL_STATUS, **options)
        return self._open(target).call(_calls.statuses(target.servable), target, deadline)

    def wait_until_available(
        self, *, version: int | None = None, label: str | None = None, timeout: float | None = 30.0
    ) -> VersionStatus:
        """Waits until the model, a given version of it, or a version with this label is AVAILABLE.

        A server that cannot be reached yet is waited for too.

        Args:
            version: A model version; None for any, or for that of the client's label.
            label: A label; excludes a version.
            timeout: Seconds; None for no limit.

        Returns:
            The version that is AVAILABLE.

        Raises:
            DeadlineExceeded: None is in time; the message has the last status.
            CallError: The server cannot become ready by waiting.
        """
        target = self._awaited(version, label)
        wait = AvailabilityWait(target.servable, Deadline(timeout), target=self.target)
        while True:
            call, deadline = wait.poll()
            try:
                statuses = self._open(target).call(call, target, deadline)
            except Seq2SumError as error:
                wait.failed(error)
            else:
                if available := wait.available(statuses):
                    return available
            time.sleep(wait.next_pause())

    def close(self) -> None:
        """Closes the channels. Calls in flight fail; later ones raise RuntimeError."""
        with self._lock:
            self._closed, connections, self._connections = True, self._connections, {}
        for connection in connections.values():
            connection.close()

    def __enter__(self) -> Self:
        """Returns the client itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Closes the client."""
        if kind is None or issubclass(kind, Exception):
            self.close()
            return
        # Ctrl-C may interrupt gRPC while it starts a call, and then closing the channel can hang.
        closing = threading.Thread(target=self.close, daemon=True)
        closing.start()
        closing.join(CLOSE_TIMEOUT)

    def __del__(self) -> None:
        if getattr(self, "_connections", None):
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self.close()

    def _reset_after_fork(self) -> None:
        _forks.keep(getattr(self, "_connections", None))
        self._lock = threading.Lock()
        self._flights = ThreadFlights[ModelMetadata]()
        self._connections = {}

    def _keep_connections(self, variants: Collection[str | int]) -> None:
        with self._lock, _forks.gate:
            for address in [each for each in self._connections if each not in (None, *variants)]:
                del self._connections[address]

    def _open(self, target: CallTarget) -> Connection:
        """Returns the connection for a call; the first call to a target opens it."""
        _forks.gate.wait_for_forks()
        if (connection := self._connections.get(target.address)) is not None:
            return connection
        with self._lock, _forks.gate:
            self._check_open()
            if target.address not in self._connections:
                self._connections[target.address] = self._connect(target.address)
            return self._connections[target.address]

    def _connect(self, address: str | None) -> Connection:
        return Connection(self._channel(address), **self._connection_options(address))

    def _channel(self, address: str | None) -> grpc.Channel:
        common = (self._current_channel_options(address), self._compression)
        if self._tls is None:
            channel = grpc.insecure_channel(address or self._address, *common)
        else:
            credentials = self._tls.credentials()
            channel = grpc.secure_channel(address or self._address, credentials, *common)
        return grpc.intercept_channel(channel, *self._interceptors)

    def _pipeline(
        self, calls: Iterator[PendingCall[Result]], max_in_flight: int
    ) -> Iterator[Result]:
        """Yields the results of calls, in order, with several in flight; taking one starts it.

        If a call cannot be started, those before it are finished first.
        """
        in_flight: deque[PendingCall[Result]] = deque()
        problem: Exception | None = None
        try:
            while True:
                try:
                    in_flight.append(next(calls))
                except StopIteration:
                    break
                except Exception as error:  # noqa: BLE001 raised below
                    problem = error
                    break
                while in_flight and (len(in_flight) >= max_in_flight or in_flight[0].done()):
                    yield in_flight.popleft().result()
            while in_flight:
                yield in_flight.popleft().result()
            if problem is not None:
                raise problem
        finally:
            for pending in in_flight:
                pending.cancel()
