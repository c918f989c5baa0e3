"""A channel and what belongs to it in one process: the sync client's only I/O."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import grpc

from seq2sum import _calls, _errors, _forks
from seq2sum._calls import Call
from seq2sum._coalescing import Coalesce
from seq2sum._coalescing_threads import ThreadCoalescer
from seq2sum._deadline import Deadline
from seq2sum._errors import Overloaded, Seq2SumError
from seq2sum._how import Route
from seq2sum._metadata import Header
from seq2sum._methods import bound
from seq2sum._refusal import Shown
from seq2sum._shadow import Shadow
from seq2sum._waiting import overload_pauses
from seq2sum.addition.answers import Columns
from seq2sum.addition.chunks import Chunk

Result = TypeVar("Result")


class Pending(Generic[Result]):
    """A call under way."""

    def __init__(self, connection: Connection, call: Call[Result], future: Any) -> None:
        self._connection = connection
        self._call = call
        self._future = future
        self.done: Callable[[], bool] = future.done
        self.cancel: Callable[[], bool] = future.cancel

    def result(self) -> Result:
        """Waits for the reply and reads it.

        Raises:
            CallError: The call failed.
            UnexpectedResponse: The reply breaks the contract.
        """
        return self._connection.read(self._call, self._future.result)

    def when_done(self, then: Callable[[], None]) -> None:
        """Calls `then` once the call is over, on gRPC's thread or at once."""
        self._future.add_done_callback(lambda _: then())


class Connection:
    """Makes calls, as many at a time as there are turns."""

    def __init__(
        self,
        channel: grpc.Channel,
        *,
        target: str,
        shown: Shown,
        in_flight: int,
        headers: Callable[[Route], tuple[Header, ...]],
        coalesce: Coalesce | None,
        shadow: Shadow | None,
    ) -> None:
        self._channel = channel
        self._target = target
        self._shown = shown
        self._headers = headers
        self._methods = bound(channel)
        self._turns = threading.BoundedSemaphore(in_flight)
        self._shadow = shadow
        self._shadow_turns = threading.BoundedSemaphore(shadow.in_flight if shadow else 1)
        self.closed = False
        self.coalescer = ThreadCoalescer(coalesce, self) if coalesce else None

    def close(self) -> None:
        """Ends the calls under way."""
        self.closed = True
        with _forks.gate:
            self._channel.close()

    def do(self, call: Call[Result], route: Route, deadline: Deadline) -> Result:
        """Makes a call and waits for its meaning.

        Raises:
            CallError: The call failed.
            UnexpectedResponse: The reply breaks the contract.
        """
        method, headers = self._methods[call.method.path], self._headers(route)
        self._wait_for_turn(route, deadline)
        try:
            with _forks.gate:
                return self.read(
                    call,
                    lambda: method(call.request, timeout=deadline.remaining(), metadata=headers),
                )
        finally:
            self._turns.release()

    def begin(self, call: Call[Result], route: Route, deadline: Deadline) -> Pending[Result]:
        """Begins a call, when it is its turn."""
        _forks.gate.let_forks_pass()
        headers = self._headers(route)
        self._wait_for_turn(route, deadline)
        return self._begin(call, headers, deadline, self._turns)

    def ask(self, chunk: Chunk, route: Route, deadline: Deadline) -> Columns:
        """Makes a Predict and waits for its answers."""
        answered = self.do(_calls.predict(chunk, route.servable), route, deadline)
        self.follow(chunk, route, answered)
        return answered

    def ask_patiently(self, chunk: Chunk, route: Route, deadline: Deadline) -> Columns:
        """The same; if it is refused for overload, again and again while there is time."""
        try:
            return self.ask(chunk, route, deadline)
        except Overloaded as refused:
            return self._ask_again(chunk, route, deadline, refused)

    def collect(
        self, pending: Pending[Columns], chunk: Chunk, route: Route, deadline: Deadline
    ) -> Columns:
        """The answers of a Predict that was begun, with the same patience."""
        try:
            answered = pending.result()
        except Overloaded as refused:
            return self._ask_again(chunk, route, deadline, refused)
        self.follow(chunk, route, answered)
        return answered

    def begin_merged(self, chunk: Chunk, route: Route, deadline: Deadline) -> Pending[Columns]:
        """Begins a Predict for several callers: the coalescer bounds them itself."""
        call = _calls.predict(chunk, route.servable)
        return self._begin(call, self._headers(route), deadline, None)

    def follow(self, chunk: Chunk, route: Route, answered: Columns) -> None:
        """Asks the shadow the same, if this call is one of its share."""
        shadow = self._shadow
        if shadow is None or not shadow.drawn() or not self._shadow_turns.acquire(blocking=False):
            return
        servable = shadow.servable(route.servable.model)
        try:
            headers = self._headers(Route(servable, route.metadata))
            pending = self._begin(
                _calls.predict(chunk, servable),
                headers,
                Deadline(shadow.timeout),
                self._shadow_turns,
            )
        except Seq2SumError as error:
            shadow.tell(answered, error)
            return

        def told() -> None:
            try:
                outcome: Columns | Seq2SumError = pending.result()
            except Seq2SumError as error:
                outcome = error
            shadow.tell(answered, outcome)

        pending.when_done(told)

    def read(self, call: Call[Result], response: Callable[[], Any]) -> Result:
        """The meaning of a reply, or the error of ours that says why there is none."""
        try:
            return call.result(response(), target=self._target)
        except grpc.FutureCancelledError as error:
            raise _errors.closed(self._target, call.servable) from error
        except grpc.RpcError as error:
            if self.closed:
                raise _errors.closed(self._target, call.servable) from error
            failed = cast("grpc.Call", error)  # what a failed unary call raises is both
            raise _errors.error_of(
                failed.code(),
                failed.details(),
                target=self._target,
                servable=call.servable,
                shown=self._shown,
            ) from error

    def too_many(self, route: Route, waiting: int) -> Seq2SumError:
        """Why no more questions may wait."""
        return _errors.too_many(waiting, self._target, route.servable)

    def too_late(self, route: Route) -> Seq2SumError:
        """Why a question does not wait any longer."""
        return _errors.too_late(self._target, route.servable)

    def _ask_again(
        self, chunk: Chunk, route: Route, deadline: Deadline, refused: Overloaded
    ) -> Columns:
        for pause in overload_pauses(deadline):
            if pause is None:
                break
            time.sleep(pause)
            try:
                return self.ask(chunk, route, deadline)
            except Overloaded as error:
                refused = error
        raise refused

    def _wait_for_turn(self, route: Route, deadline: Deadline) -> None:
        if not self._turns.acquire(timeout=deadline.remaining()):
            raise self.too_late(route)

    def _begin(
        self,
        call: Call[Result],
        headers: tuple[Header, ...],
        deadline: Deadline,
        turns: threading.BoundedSemaphore | None,
    ) -> Pending[Result]:
        method, gate = self._methods[call.method.path], _forks.gate
        gate.__enter__()
        try:
            future = method.future(call.request, timeout=deadline.remaining(), metadata=headers)
        except BaseException as error:
            gate.__exit__()
            if turns is not None:
                turns.release()
            if self.closed:
                raise _errors.closed(self._target, call.servable) from error
            raise

        def ended(_: object) -> None:
            gate.__exit__()
            if turns is not None:
                turns.release()

        future.add_done_callback(ended)
        return Pending(self, call, future)
