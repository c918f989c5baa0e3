"""Runs of a TensorFlow session, each prepared once for its inputs and outputs.

A run with a timeout uses a TensorFlow thread until its graph has proven fast, and the caller's
thread afterwards, which is faster. docs/design-notes.md, "Threads and timeouts of runs", has the
measurements behind this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from time import perf_counter, thread_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client import pywrap_tf_session

from seq2sum_serving.embedded.errors import Code, ServingError, invalid_argument
from seq2sum_serving.embedded.inference import datatypes, unlocked_time
from seq2sum_serving.embedded.inference import tensorflow_parts as tf
from seq2sum_serving.embedded.inference.flat_tensor import FlatTensor
from seq2sum_serving.embedded.inference.proto_run import ProtoRun
from seq2sum_serving.embedded.inference.servable import Arrays

CALLER_THREAD = -1
"""The calling thread in RunOptions.inter_op_thread_pool."""

FAST_SECONDS = 0.1
"""Longest duration of a fast run."""
FAST_RUNS = 16
"""Consecutive fast runs that make a graph a fast one."""
TIGHT_SECONDS = 10 * FAST_SECONDS
"""Runs with a shorter timeout always use a TensorFlow thread."""

SHORTEST_BITS, LONGEST_BITS = 4, 22
"""Timeouts are rounded up to powers of two from 16 milliseconds to 70 minutes, so that only a few
RunOptions exist. Longer ones are ignored."""

TIMED_OUT = "Timed out waiting for notification"
TOO_LARGE_FOR_NUMPY = "Could not allocate ndarray"
"""Error of TensorFlow's wrapper if numpy cannot represent the shape of an output."""


class SessionRunner:
    """The prepared runs of one session. Safe to use from any thread."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._prepared: dict[tuple[tuple[str, ...], tuple[str, ...]], _PreparedRun] = {}

    def run(
        self, feeds: Mapping[str, Any], fetches: Sequence[str], *, timeout: float | None
    ) -> Arrays:
        """Runs the graph on arrays by tensor name; returns the arrays of `fetches`.

        Raises:
            ServingError: TensorFlow's error.
        """
        names = tuple(sorted(feeds))
        key = (names, tuple(fetches))
        try:
            run = self._prepared.get(key)
            if run is None:
                run = self._prepared.setdefault(key, _PreparedRun(self._session, *key))
            arrays = [feeds[name] for name in names]
            run.check(arrays)
            return run(arrays, timeout)
        except tf.errors.OpError as error:
            raise serving_error(error) from error
        except UnicodeDecodeError as error:
            # The error message quotes bytes of an input, which the wrapper decodes as text. The
            # status code is lost, but operations that quote their input report a bad argument.
            raise invalid_argument(error.object.decode(errors="surrogateescape")) from error

    def close(self) -> None:
        """Drops the prepared runs."""
        self._prepared.clear()


class _PreparedRun:
    """A run with fixed inputs and outputs."""

    def __init__(self, session: Any, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> None:
        self._session = session
        if not fetches:  # TensorFlow reports this before errors in the fed values
            raise_endpoint_error(session, feeds, fetches)
        try:
            self._fed = [tensor(session.graph, name) for name in feeds]
            self._fetched = [tensor(session.graph, name) for name in fetches]
        except (KeyError, ValueError):
            raise_endpoint_error(session, feeds, fetches)
            raise
        for name, fetched in zip(fetches, self._fetched, strict=True):
            if fetched.dtype.base_dtype.as_datatype_enum in datatypes.OPAQUE:
                kind = datatypes.name(fetched.dtype.base_dtype.as_datatype_enum)
                raise ServingError(Code.UNIMPLEMENTED, f"{name}: a {kind} cannot be fetched")
        self._feeds = [output(fed) for fed in self._fed]
        self._fetches = [output(fetched) for fetched in self._fetched]
        self._fast_runs = 0
        self._dtypes = [fed.dtype.base_dtype.as_datatype_enum for fed in self._fed]
        self._numpy = [
            None if dtype in datatypes.OPAQUE else datatypes.numpy_dtype(dtype)
            for dtype in self._dtypes
        ]
        self._proto_run: ProtoRun | None = None
        self._large_outputs = False

    def check(self, arrays: Sequence[Any]) -> None:
        """Raises ServingError if the dtype of an array is not that of its tensor; none is cast."""
        for number, (array, dtype) in enumerate(zip(arrays, self._numpy, strict=True)):
            if array.dtype != dtype:
                expected = datatypes.name(self._dtypes[number])
                actual = datatypes.name(datatypes.datatype(array))
                if actual == expected:
                    raise ServingError(
                        Code.UNIMPLEMENTED, f"arg[{number}]: a {expected} cannot be fed"
                    )
                raise invalid_argument(
                    f"Expects arg[{number}] to be {expected} but {actual} is provided"
                )

    def __call__(self, arrays: Sequence[Any], timeout: float | None) -> Arrays:
        """Runs the graph. A timeout of zero or less means no limit, as in TensorFlow."""
        thread_pool, milliseconds, limit = CALLER_THREAD, 0, None
        if timeout is not None and timeout > 0:
            bits = max(int(timeout * 1000).bit_length(), SHORTEST_BITS)
            if bits <= LONGEST_BITS:
                limit = timeout
                if self._fast_runs < FAST_RUNS or timeout < TIGHT_SECONDS:
                    thread_pool, milliseconds = 0, 1 << bits
        started, cpu_started = perf_counter(), thread_time()
        try:
            return self._run(arrays, (thread_pool, milliseconds))
        finally:
            elapsed = perf_counter() - started
            in_caller = thread_pool == CALLER_THREAD
            unlocked_time.add(thread_time() - cpu_started if in_caller else elapsed)
            self._fast_runs = self._fast_runs + 1 if elapsed < FAST_SECONDS else 0
            if limit is not None and elapsed > limit:
                raise ServingError(Code.DEADLINE_EXCEEDED, TIMED_OUT)

    def _run(self, arrays: Sequence[Any], options: tuple[int, int]) -> Arrays:
        if not self._large_outputs and FlatTensor not in map(type, arrays):
            try:
                feeds = dict(zip(self._feeds, arrays, strict=True))
                return session_run(self._session, options, feeds, self._fetches)
            except tf.errors.InternalError as error:
                if error.message != TOO_LARGE_FOR_NUMPY:
                    raise
                self._large_outputs = True
        if self._proto_run is None:
            self._proto_run = ProtoRun(self._session, self._fed, self._fetched)
        return self._proto_run(arrays)


def session_run(
    session: Any, options: tuple[int, int], feeds: Mapping[Any, Any], fetches: Sequence[Any]
) -> Arrays:
    """Calls TensorFlow's C interface with arrays by `output`, and an `output` for each fetch.

    `options` are a thread pool, and a timeout in milliseconds; 0 means no limit.

    Raises:
        tf.errors.OpError: The run failed.
    """
    arrays = pywrap_tf_session.TF_SessionRun_wrapper(
        session._session, run_options(*options), feeds, fetches, [], None
    )
    return [_string(array) if isinstance(array, bytes) else array for array in arrays]


def _string(text: bytes) -> NDArray[Any]:
    """Returns the array of a scalar string, which TensorFlow's wrapper returns as plain bytes.

    numpy would infer a dtype of fixed width for them, which drops NUL bytes at the end.
    """
    array = np.empty((), object)
    array[()] = text
    return array


@cache
def run_options(thread_pool: int, milliseconds: int) -> Any:
    """Returns RunOptions for TensorFlow's C interface; the few that exist are cached."""
    options = config_pb2.RunOptions(timeout_in_ms=milliseconds, inter_op_thread_pool=thread_pool)
    return pywrap_tf_session.TF_NewBufferFromString(options.SerializeToString())


def tensor(graph: Any, name: str) -> Any:
    """Returns a tensor by name; a name without a port means port 0, as in C++.

    Raises:
        KeyError, ValueError: The graph does not have such a tensor.
    """
    return graph.get_tensor_by_name(name if ":" in name else f"{name}:0")


def output(tensor: Any) -> Any:
    """Returns a tensor in the form of TensorFlow's C interface."""
    converted = pywrap_tf_session.TF_Output()
    converted.oper = tensor.op._c_op
    converted.index = tensor.value_index
    return converted


def raise_endpoint_error(session: Any, feeds: Sequence[str], fetches: Sequence[str]) -> None:
    """Makes TensorFlow raise its error for inputs and outputs that no run can have.

    Raises:
        tf.errors.OpError: With the message of a run.
    """
    session._make_callable_from_options(config_pb2.CallableOptions(feed=feeds, fetch=fetches))


def serving_error(error: Any) -> ServingError:
    """Returns a ServingError with the code and message of TensorFlow's OpError."""
    return ServingError(Code(error.error_code), error.message)
