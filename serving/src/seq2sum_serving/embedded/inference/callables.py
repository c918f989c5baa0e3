"""Runs of a session: prepared once for each pair of inputs and outputs, and bound in time.

A graph is quickest when the thread that asks runs it (measured: 27 microseconds for one short
question; 54 when TensorFlow hands it to a thread of its own), but only in a thread of its own
can TensorFlow end it before its time. So runs that have a timeout go to such a thread until
their graph has proven to be quick, and go there again as soon as it was slow once. The answer is
the same either way: what took longer than its timeout has failed, whoever ran it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference import datatypes
from seq2sum_serving.embedded.inference.servable import Arrays

CALLERS_THREAD = -1
"""What RunOptions.inter_op_thread_pool calls the thread that calls."""

QUICK_SECONDS = 0.1
"""What runs longer is not quick."""
TRUSTED_RUNS = 16
"""So many quick runs in a row make a graph one that is quick."""
TIGHT_SECONDS = 10 * QUICK_SECONDS
"""A timeout below this is left to TensorFlow always."""

SHORTEST_BITS, LONGEST_BITS = 4, 22
"""Timeouts are rounded up to powers of two, 16 milliseconds to 70 minutes: each of them needs a
callable of its own. Above, there is no timeout."""

TIMED_OUT = "Timed out waiting for notification"

Call = Callable[..., Arrays]


class Callables:
    """The prepared runs of one session. Safe for any thread."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._known: dict[tuple[tuple[str, ...], tuple[str, ...]], _Run] = {}

    def run(
        self, feeds: Mapping[str, Any], fetches: Sequence[str], *, timeout: float | None
    ) -> Arrays:
        """Runs the graph: arrays by tensor name in, those of `fetches` out.

        Raises:
            ServingError: What TensorFlow said.
        """
        names = tuple(sorted(feeds))
        key = (names, tuple(fetches))
        try:
            run = self._known.get(key)
            if run is None:
                run = self._known.setdefault(key, _Run(self._session, *key))
            arrays = [feeds[name] for name in names]
            run.check(arrays)
            return run(arrays, timeout)
        except tf.errors.OpError as error:
            raise serving_error(error) from error

    def close(self) -> None:
        """Gives back what the session holds for them."""
        self._known.clear()


class _Run:
    """One pair of inputs and outputs."""

    def __init__(self, session: Any, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> None:
        self._session = session
        self._options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
        self._direct = self._prepare(CALLERS_THREAD, 0)
        self._timed: dict[int, Call] = {}
        self._quick_runs = 0
        self._dtypes = [_dtype_of(session.graph, name) for name in feeds]
        self._numpy = [datatypes.numpy_dtype(dtype) for dtype in self._dtypes]

    def check(self, arrays: Sequence[Any]) -> None:
        """Refuses another dtype than the graph's: none is ever cast."""
        for place, (array, dtype) in enumerate(zip(arrays, self._numpy, strict=True)):
            if array.dtype != dtype:
                wanted = datatypes.name(self._dtypes[place])
                given = datatypes.name(datatypes.datatype(array))
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f"Expects arg[{place}] to be {wanted} but {given} is provided",
                )

    def __call__(self, arrays: Sequence[Any], timeout: float | None) -> Arrays:
        """Runs it; a timeout of zero or less is none, as in TensorFlow."""
        call, limit = self._direct, None
        if timeout is not None and timeout > 0:
            bits = max(int(timeout * 1000).bit_length(), SHORTEST_BITS)
            if bits <= LONGEST_BITS:
                limit = timeout
                if self._quick_runs < TRUSTED_RUNS or timeout < TIGHT_SECONDS:
                    call = self._timed_call(1 << bits)
        started = perf_counter()
        try:
            return call(*arrays)
        finally:
            elapsed = perf_counter() - started
            self._quick_runs = self._quick_runs + 1 if elapsed < QUICK_SECONDS else 0
            if limit is not None and elapsed > limit:
                raise ServingError(Code.DEADLINE_EXCEEDED, TIMED_OUT)

    def _timed_call(self, milliseconds: int) -> Call:
        call = self._timed.get(milliseconds)
        if call is None:
            call = self._timed.setdefault(milliseconds, self._prepare(0, milliseconds))
        return call

    def _prepare(self, thread_pool: int, milliseconds: int) -> Call:
        options = config_pb2.CallableOptions()
        options.CopyFrom(self._options)
        options.run_options.inter_op_thread_pool = thread_pool
        options.run_options.timeout_in_ms = milliseconds
        # The public make_callable goes through Session.run as soon as there are feeds.
        prepared: Call = self._session._make_callable_from_options(options)
        return prepared


def serving_error(error: Any) -> ServingError:
    """What TensorFlow's OpError says, in its own code and words."""
    return ServingError(Code(error.error_code), error.message)


def _dtype_of(graph: Any, name: str) -> int:
    """The DataType of a tensor; a name without a port means port 0, as in C++."""
    dtype = graph.get_tensor_by_name(name if ":" in name else f"{name}:0").dtype
    number: int = dtype.base_dtype.as_datatype_enum
    return number
