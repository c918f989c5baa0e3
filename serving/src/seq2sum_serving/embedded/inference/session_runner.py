"""Runs of a session: prepared once for each pair of inputs and outputs, and bound in time.

TensorFlow prepares a graph once for each pair and keeps that, whatever the timeout of a run is. A
callable of the session would be quicker still by a tenth (108 against 121 microseconds), but it has
its timeout built in: the first calls with each new timeout prepared the graph again, which takes
seconds where many do it at once, and a new version was slow to those who came first.

A graph is quickest when the thread that asks runs it (measured: 27 microseconds for one short
question; 54 when TensorFlow hands it to a thread of its own), but only in a thread of its own
can TensorFlow end it before its time. So runs that have a timeout go to such a thread until
their graph has proven to be quick, and go there again as soon as it was slow once. The answer is
the same either way: what took longer than its timeout has failed, whoever ran it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from time import perf_counter
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.client import pywrap_tf_session

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference import datatypes
from seq2sum_serving.embedded.inference.flat_tensor import FlatTensor
from seq2sum_serving.embedded.inference.proto_run import ProtoRun
from seq2sum_serving.embedded.inference.servable import Arrays

CALLER_THREAD = -1
"""What RunOptions.inter_op_thread_pool calls the thread that calls."""

QUICK_SECONDS = 0.1
"""What runs longer is not quick."""
TRUSTED_RUNS = 16
"""So many quick runs in a row make a graph one that is quick."""
TIGHT_SECONDS = 10 * QUICK_SECONDS
"""A timeout below this is left to TensorFlow always."""

SHORTEST_BITS, LONGEST_BITS = 4, 22
"""Timeouts are rounded up to powers of two, 16 milliseconds to 70 minutes, so that their options
are made once. Above, there is no timeout."""

TIMED_OUT = "Timed out waiting for notification"
TOO_LARGE_FOR_NUMPY = "Could not allocate ndarray"
"""What TensorFlow's wrapper says where numpy has no array of the shape of an output."""


class SessionRunner:
    """The prepared runs of one session. Safe for any thread."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._known: dict[tuple[tuple[str, ...], tuple[str, ...]], _PreparedRun] = {}

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
                run = self._known.setdefault(key, _PreparedRun(self._session, *key))
            arrays = [feeds[name] for name in names]
            run.check(arrays)
            return run(arrays, timeout)
        except tf.errors.OpError as error:
            raise serving_error(error) from error
        except UnicodeDecodeError as error:
            # TensorFlow quotes bytes of an input in its message, which Python takes for text; its
            # code is lost as well, and an operation that quotes its input complains about it.
            message = error.object.decode(errors="surrogateescape")
            raise ServingError(Code.INVALID_ARGUMENT, message) from error

    def close(self) -> None:
        """Gives back what the session holds for them."""
        self._known.clear()


class _PreparedRun:
    """One pair of inputs and outputs."""

    def __init__(self, session: Any, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> None:
        self._session = session
        if not fetches:  # an error that comes before those of the values fed
            refuse(session, feeds, fetches)
        try:
            self._fed = [tensor(session.graph, name) for name in feeds]
            self._fetched = [tensor(session.graph, name) for name in fetches]
        except (KeyError, ValueError):
            refuse(session, feeds, fetches)
            raise
        for name, fetched in zip(fetches, self._fetched, strict=True):
            if fetched.dtype.base_dtype.as_datatype_enum in datatypes.OPAQUE:
                kind = datatypes.name(fetched.dtype.base_dtype.as_datatype_enum)
                raise ServingError(Code.UNIMPLEMENTED, f"{name}: a {kind} cannot be fetched")
        self._feeds = [output(fed) for fed in self._fed]
        self._fetches = [output(fetched) for fetched in self._fetched]
        self._quick_runs = 0
        self._dtypes = [fed.dtype.base_dtype.as_datatype_enum for fed in self._fed]
        self._numpy = [
            None if dtype in datatypes.OPAQUE else datatypes.numpy_dtype(dtype)
            for dtype in self._dtypes
        ]
        self._proto_run: ProtoRun | None = None
        self._large_outputs = False

    def check(self, arrays: Sequence[Any]) -> None:
        """Refuses another dtype than the graph's: none is ever cast."""
        for place, (array, dtype) in enumerate(zip(arrays, self._numpy, strict=True)):
            if array.dtype != dtype:
                wanted = datatypes.name(self._dtypes[place])
                given = datatypes.name(datatypes.datatype(array))
                if given == wanted:
                    raise ServingError(
                        Code.UNIMPLEMENTED, f"arg[{place}]: a {wanted} cannot be fed"
                    )
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f"Expects arg[{place}] to be {wanted} but {given} is provided",
                )

    def __call__(self, arrays: Sequence[Any], timeout: float | None) -> Arrays:
        """Runs it; a timeout of zero or less is none, as in TensorFlow."""
        where, limit = (CALLER_THREAD, 0), None
        if timeout is not None and timeout > 0:
            bits = max(int(timeout * 1000).bit_length(), SHORTEST_BITS)
            if bits <= LONGEST_BITS:
                limit = timeout
                if self._quick_runs < TRUSTED_RUNS or timeout < TIGHT_SECONDS:
                    where = 0, 1 << bits
        started = perf_counter()
        try:
            return self._run(arrays, where)
        finally:
            elapsed = perf_counter() - started
            self._quick_runs = self._quick_runs + 1 if elapsed < QUICK_SECONDS else 0
            if limit is not None and elapsed > limit:
                raise ServingError(Code.DEADLINE_EXCEEDED, TIMED_OUT)

    def _run(self, arrays: Sequence[Any], where: tuple[int, int]) -> Arrays:
        if not self._large_outputs and FlatTensor not in map(type, arrays):
            try:
                fed = dict(zip(self._feeds, arrays, strict=True))
                return session_run(self._session, where, fed, self._fetches)
            except tf.errors.InternalError as error:
                if error.message != TOO_LARGE_FOR_NUMPY:
                    raise
                self._large_outputs = True
        if self._proto_run is None:
            self._proto_run = ProtoRun(self._session, self._fed, self._fetched)
        return self._proto_run(arrays)


def session_run(
    session: Any, where: tuple[int, int], feeds: Mapping[Any, Any], fetches: Sequence[Any]
) -> Arrays:
    """Session::Run of TensorFlow's C interface.

    Args:
        session: A session.
        where: The thread pool, and the milliseconds that it may take; 0 for no limit.
        feeds: Arrays by `output`.
        fetches: What to give back, by `output`.

    Raises:
        tf.errors.OpError: It went wrong.
    """
    arrays = pywrap_tf_session.TF_SessionRun_wrapper(
        session._session, run_options(*where), feeds, fetches, [], None
    )
    return [_string(array) if isinstance(array, bytes) else array for array in arrays]


def _string(text: bytes) -> NDArray[Any]:
    """The array of a scalar string, which TensorFlow's wrapper returns as plain bytes.

    numpy would infer a dtype of fixed width for them, which drops NUL bytes from the end.
    """
    array = np.empty((), object)
    array[()] = text
    return array


@cache
def run_options(thread_pool: int, milliseconds: int) -> Any:
    """RunOptions as TensorFlow's C interface takes them; there are few, and they are kept."""
    options = config_pb2.RunOptions(timeout_in_ms=milliseconds, inter_op_thread_pool=thread_pool)
    return pywrap_tf_session.TF_NewBufferFromString(options.SerializeToString())


def tensor(graph: Any, name: str) -> Any:
    """A tensor by its name; a name without a port means port 0, as in C++.

    Raises:
        KeyError, ValueError: The graph has no such tensor.
    """
    return graph.get_tensor_by_name(name if ":" in name else f"{name}:0")


def output(tensor: Any) -> Any:
    """A tensor as TensorFlow's C interface takes it."""
    found = pywrap_tf_session.TF_Output()
    found.oper = tensor.op._c_op
    found.index = tensor.value_index
    return found


def refuse(session: Any, feeds: Sequence[str], fetches: Sequence[str]) -> None:
    """Has TensorFlow say what is wrong with inputs and outputs that no run can have.

    Raises:
        tf.errors.OpError: In the words of a run.
    """
    session._make_callable_from_options(config_pb2.CallableOptions(feed=feeds, fetch=fetches))


def serving_error(error: Any) -> ServingError:
    """What TensorFlow's OpError says, in its own code and words."""
    return ServingError(Code(error.error_code), error.message)
