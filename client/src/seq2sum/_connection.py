"""The channel of one client in one process: all I/O of the synchronous client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import grpc

from seq2sum import _errors, _forks
from seq2sum._calls import Call, PendingCall
from seq2sum._coalescing import Coalescing
from seq2sum._coalescing_threads import ThreadCoalescer
from seq2sum._connection_hints import ClientIdentity
from seq2sum._deadline import Deadline
from seq2sum._errors import Overloaded, Seq2SumError
from seq2sum._metadata import Header
from seq2sum._methods import bound
from seq2sum._options import CallTarget
from seq2sum._shadow import Shadow
from seq2sum._waiting import overload_backoff
from seq2sum.addition.answers import Columns
from seq2sum.addition.calls import predict
from seq2sum.addition.chunks import Chunk

Result = TypeVar("Result")


class Connection:
    """Makes calls on a channel, a bounded number of them at a time."""

    def __init__(
        self,
        channel: grpc.Channel,
        *,
        address: str,
        identity: ClientIdentity,
        max_in_flight: int,
        headers: Callable[[CallTarget], tuple[Header, ...]],
        coalescing: Coalescing | None,
        shadow: Shadow | None,
    ) -> None:
        self._channel = channel
        self.address = address
        self._identity = identity
        self._headers = headers
        self._methods = bound(channel)
        self._slots = threading.BoundedSemaphore(max_in_flight)
        self._shadow = shadow
        self._shadow_slots = threading.BoundedSemaphore(shadow.max_in_flight if shadow else 1)
        self._closed = False
        self.coalescer = ThreadCoalescer(coalescing, self) if coalescing else None

    def close(self) -> None:
        """Closes the channel; calls in flight fail."""
        self._closed = True
        with _forks.gate:
            self._channel.close()

    def call(self, call: Call[Result], target: CallTarget, deadline: Deadline) -> Result:
        """Makes a call and returns the content of the reply.

        Raises:
            CallError: The call failed.
            UnexpectedResponse: The reply breaks the contract.
        """
        method, headers = self._methods[call.method.path], self._headers(target)
        self._acquire_slot(target, deadline)
        try:
            with _forks.gate:
                return self._read(
                    call,
                    lambda: method(call.request, timeout=deadline.remaining(), metadata=headers),
                )
        finally:
            self._slots.release()

    def start_predict(
        self, chunk: Chunk, target: CallTarget, deadline: Deadline
    ) -> PendingCall[Columns]:
        """Starts a Predict, once fewer than the allowed number of calls are in flight."""
        _forks.gate.wait_for_forks()
        headers = self._headers(target)
        self._acquire_slot(target, deadline)
        return self._start(predict(chunk, target.servable), headers, deadline, self._slots)

    def start_merged(
        self, chunk: Chunk, target: CallTarget, deadline: Deadline
    ) -> PendingCall[Columns]:
        """Starts a Predict for several callers; the coalescer limits how many are in flight."""
        return self._start(predict(chunk, target.servable), self._headers(target), deadline, None)

    def predict(self, chunk: Chunk, target: CallTarget, deadline: Deadline) -> Columns:
        """Makes a Predict and returns its answers."""
        answered = self.call(predict(chunk, target.servable), target, deadline)
        self.mirror(chunk, target, answered)
        return answered

    def predict_with_retries(self, chunk: Chunk, target: CallTarget, deadline: Deadline) -> Columns:
        """Makes a Predict; retries it, with backoff, while the server is overloaded."""
        try:
            return self.predict(chunk, target, deadline)
        except Overloaded as error:
            return self._retry(chunk, target, deadline, error)

    def result_with_retries(
        self, pending: PendingCall[Columns], chunk: Chunk, target: CallTarget, deadline: Deadline
    ) -> Columns:
        """Returns the answers of a started Predict; retries like `predict_with_retries`."""
        try:
            answered = pending.result()
        except Overloaded as error:
            return self._retry(chunk, target, deadline, error)
        self.mirror(chunk, target, answered)
        return answered

    def mirror(self, chunk: Chunk, target: CallTarget, answered: Columns) -> None:
        """Sends a copy of a call to the shadow version, if this call is sampled."""
        shadow = self._shadow
        if shadow is None or not shadow.sampled() or not self._shadow_slots.acquire(blocking=False):
            return
        servable = shadow.servable(target.servable.model)
        try:
            pending = self._start(
                predict(chunk, servable),
                self._headers(CallTarget(servable, target.metadata)),
                Deadline(shadow.timeout),
                self._shadow_slots,
            )
        except Seq2SumError as error:
            shadow.report(answered, error)
            return

        def report() -> None:
            try:
                outcome: Columns | Seq2SumError = pending.result()
            except Seq2SumError as error:
                outcome = error
            shadow.report(answered, outcome)

        pending.when_done(report)

    def _read(self, call: Call[Result], response: Callable[[], Any]) -> Result:
        """Returns the content of a reply, or raises gRPC's error as one of this package."""
        try:
            return call.result(response(), target=self.address)
        except grpc.FutureCancelledError as error:
            raise _errors.client_closed(self.address, call.servable) from error
        except grpc.RpcError as error:
            if self._closed:
                raise _errors.client_closed(self.address, call.servable) from error
            failed = cast("grpc.Call", error)  # a failed unary call raises an object of both types
            raise _errors.error_of(
                failed.code(),
                failed.details(),
                target=self.address,
                servable=call.servable,
                identity=self._identity,
            ) from error

    def _retry(
        self, chunk: Chunk, target: CallTarget, deadline: Deadline, last_error: Overloaded
    ) -> Columns:
        for pause in overload_backoff(deadline):
            time.sleep(pause)
            try:
                return self.predict(chunk, target, deadline)
            except Overloaded as error:
                last_error = error
        raise last_error

    def _acquire_slot(self, target: CallTarget, deadline: Deadline) -> None:
        if not self._slots.acquire(timeout=deadline.remaining()):
            raise _errors.deadline_exceeded(self.address, target.servable)

    def _start(
        self,
        call: Call[Result],
        headers: tuple[Header, ...],
        deadline: Deadline,
        slots: threading.BoundedSemaphore | None,
    ) -> PendingCall[Result]:
        method, gate = self._methods[call.method.path], _forks.gate

        def leave(_: object = None) -> None:
            gate.__exit__()
            if slots is not None:
                slots.release()

        gate.__enter__()
        try:
            future = method.future(call.request, timeout=deadline.remaining(), metadata=headers)
        except BaseException as error:
            leave()
            if self._closed:
                raise _errors.client_closed(self.address, call.servable) from error
            raise
        future.add_done_callback(leave)
        return PendingCall(future, lambda: self._read(call, future.result))
