"""The channel of one client in one process: all I/O of the synchronous client."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import grpc

from seq2sum import _errors, _forks
from seq2sum._calls import Call, CallFactory, PendingCall
from seq2sum._coalescing import Coalescing
from seq2sum._coalescing_threads import ThreadCoalescer
from seq2sum._connection_hints import ClientIdentity
from seq2sum._deadline import Deadline
from seq2sum._errors import CallError, Overloaded, Seq2SumError
from seq2sum._metadata import Header
from seq2sum._methods import bound
from seq2sum._options import CallTarget
from seq2sum._shadow import Shadow
from seq2sum._slots import ThreadSlots
from seq2sum._waiting import overload_backoff

Result = TypeVar("Result")


class Connection:
    """Makes calls on a channel, a bounded number of them at a time."""

    def __init__(
        self,
        channel: grpc.Channel,
        *,
        address: str,
        identity: ClientIdentity,
        max_in_flight: int | None,
        headers: Callable[[CallTarget], tuple[Header, ...]],
        coalescing: Coalescing | None,
        shadow: Shadow | None,
    ) -> None:
        self._channel = channel
        self.address = address
        self._identity = identity
        self._headers = headers
        self._methods = bound(channel)
        self._slots = ThreadSlots(max_in_flight)
        self._shadow = shadow
        self._shadow_slots = ThreadSlots(shadow.max_in_flight if shadow else 1)
        self._closed = False
        self.coalescer = ThreadCoalescer(coalescing, self) if coalescing else None

    def close(self) -> None:
        """Closes the channel; calls in flight fail."""
        self._closed = True
        with _forks.gate:
            self._channel.close()

    def call(self, call: Call[Result], target: CallTarget, deadline: Deadline) -> Result:
        """Makes a call and returns the content of the reply.

        Sends it again, with backoff, if the server had no thread for it and the limit of calls in
        flight is not a given one.

        Raises:
            CallError: The call failed.
            UnexpectedResponse: The reply breaks the contract.
        """
        method, headers = self._methods[call.method.path], self._headers(target)
        pauses = None
        while True:
            self._acquire_slot(target, deadline)
            try:
                with _forks.gate:
                    response = method(call.request, timeout=deadline.remaining(), metadata=headers)
            except grpc.RpcError as caught:
                error = self._error(call, caught)
                pauses = pauses or overload_backoff(deadline)
                pause = next(pauses, None) if self._slots.refused(error) else None
                if pause is None:
                    raise error from caught
            else:
                return call.result(response, target=self.address)
            finally:
                self._slots.release()
            time.sleep(pause)

    def call_with_shadow(
        self, make: CallFactory[Result], target: CallTarget, deadline: Deadline
    ) -> Result:
        """Makes a call; sends a copy to the shadow version if the call is sampled."""
        result = self.call(make(target.servable), target, deadline)
        if self._shadow is not None:
            self.mirror(make, target, result)
        return result

    def call_with_retries(
        self, make: CallFactory[Result], target: CallTarget, deadline: Deadline
    ) -> Result:
        """Makes a call; retries it, with backoff, while the server is overloaded."""
        return self.retried(partial(self.call_with_shadow, make, target, deadline), deadline)

    def retried(self, attempt: Callable[[], Result], deadline: Deadline) -> Result:
        """Returns the result of an attempt; repeats it, with backoff, while it is Overloaded."""
        pauses = overload_backoff(deadline)
        while True:
            try:
                return attempt()
            except Overloaded:
                pause = next(pauses, None)
                if pause is None:
                    raise
            time.sleep(pause)

    def start(
        self, make: CallFactory[Result], target: CallTarget, deadline: Deadline
    ) -> PendingCall[Result]:
        """Starts a call, once fewer than the allowed number of calls are in flight.

        The result of the pending call is that of `call_with_retries`.
        """
        _forks.gate.wait_for_forks()
        headers, call = self._headers(target), make(target.servable)
        self._acquire_slot(target, deadline)
        pending = self._start(call, headers, deadline, self._slots)

        started = [pending]

        def attempt() -> Result:
            if not started:
                return self.call_with_shadow(make, target, deadline)
            found = started.pop().result()
            self.mirror(make, target, found)
            return found

        return pending.with_result(partial(self.retried, attempt, deadline))

    def start_unbounded(
        self, make: CallFactory[Result], target: CallTarget, deadline: Deadline
    ) -> PendingCall[Result]:
        """Starts a call for several callers; the coalescer limits concurrent ones."""
        return self._start(make(target.servable), self._headers(target), deadline, None)

    def mirror(self, make: CallFactory[Result], target: CallTarget, result: Result) -> None:
        """Sends a copy of a call to the shadow version, if this call is sampled."""
        shadow = self._shadow
        if shadow is None or not shadow.sampled() or not self._shadow_slots.acquire(0.0):
            return
        servable = shadow.servable(target.servable.model)
        try:
            pending = self._start(
                make(servable),
                self._headers(target._replace(servable=servable)),
                Deadline(shadow.timeout),
                self._shadow_slots,
            )
        except Seq2SumError as error:
            shadow.report(result, error)
            return

        def report() -> None:
            try:
                outcome: Result | Seq2SumError = pending.result()
            except Seq2SumError as error:
                outcome = error
            shadow.report(result, outcome)

        pending.when_done(report)

    def _result(self, call: Call[Result], future: Any) -> Result:
        """Waits for a call, and returns the content of its reply."""
        try:
            response = future.result()
        except (grpc.RpcError, grpc.FutureCancelledError) as error:
            raise self._error(call, error) from error
        return call.result(response, target=self.address)

    def _error(self, call: Call[Any], error: Any) -> CallError:
        """Returns gRPC's error as one of this package."""
        if self._closed or isinstance(error, grpc.FutureCancelledError):
            return _errors.client_closed(self.address, call.servable)
        return _errors.error_of(
            error.code(),
            error.details(),
            target=self.address,
            servable=call.servable,
            identity=self._identity,
        )

    def _acquire_slot(self, target: CallTarget, deadline: Deadline) -> None:
        if not self._slots.acquire(deadline.remaining()):
            raise _errors.deadline_exceeded(self.address, target.servable)

    def _start(
        self,
        call: Call[Result],
        headers: tuple[Header, ...],
        deadline: Deadline,
        slots: ThreadSlots | None,
    ) -> PendingCall[Result]:
        method, gate = self._methods[call.method.path], _forks.gate

        def leave(future: Any = None) -> None:
            gate.__exit__()
            if slots is not None:
                if future is not None and not future.cancelled():
                    slots.refused(future.exception())
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
        return PendingCall(future, partial(self._result, call, future))
