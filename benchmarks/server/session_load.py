"""Calls a version's graph in process, without a server: the baseline of `make bench-server`.

`python -m benchmarks.server.session_load VERSION` reads lines of JSON with `rows`, `callers` and
`seconds`, and replies to each with questions per second and CPU microseconds per question. Callers
are threads; input and output are arrays of strings. All answers are checked before the measurement
starts.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from benchmarks.load.requests import REQUESTS, check_answers, questions

WARM_UP = 0.3
"""Seconds of calls before the measurement starts."""
MIN_CALLS = 8
"""Minimum calls per caller: those in flight at the start or the end distort a short measurement."""
POLL_SECONDS = 0.02


class Session:
    """A loaded version."""

    def __init__(self, version: str) -> None:
        tf.get_logger().setLevel("ERROR")  # it warns of deprecated functions
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.loader.load(self._session, ["serve"], version)
        signature = loaded.signature_def["serving_default"]
        [feed] = signature.inputs.values()
        names = sorted(signature.outputs)
        self._answers = names.index("answers")
        self._call = self._callable(feed.name, [signature.outputs[name].name for name in names])

    def _callable(self, feed: str, fetches: list[str]) -> Callable[[Any], list[Any]]:
        options = config_pb2.CallableOptions(feed=[feed], fetch=fetches)
        options.run_options.inter_op_thread_pool = -1  # run in the calling thread
        call: Callable[[Any], list[Any]] = self._session._make_callable_from_options(options)
        return call

    def measure(self, rows: int, callers: int, seconds: float) -> tuple[float, float]:
        """Returns questions per second and CPU microseconds per question."""
        arrays = [np.array(questions(rows, index), object) for index in range(REQUESTS)]
        for index, array in enumerate(arrays):
            check_answers(self._call(array)[self._answers].tolist(), rows, index)
        done = [0] * callers
        stop = threading.Event()

        def caller(index: int) -> None:
            number = index
            while not stop.is_set():
                self._call(arrays[number % REQUESTS])
                done[index] += 1
                number += 1

        threads = [threading.Thread(target=caller, args=(index,)) for index in range(callers)]
        for thread in threads:
            thread.start()
        time.sleep(WARM_UP)
        before, start, cpu = sum(done), time.perf_counter(), time.process_time()
        while time.perf_counter() < start + seconds or sum(done) < before + MIN_CALLS * callers:
            assert all(thread.is_alive() for thread in threads), "a caller failed"
            time.sleep(POLL_SECONDS)
        total, wall = (sum(done) - before) * rows, time.perf_counter() - start
        cpu = time.process_time() - cpu
        stop.set()
        for thread in threads:
            thread.join()
        return total / wall, cpu / total * 1e6


def main(version: str) -> None:
    """Answers the lines on standard input until end of file."""
    session = Session(version)
    for line in sys.stdin:
        print(json.dumps(session.measure(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
