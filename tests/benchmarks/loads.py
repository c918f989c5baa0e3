"""Loads that a benchmark puts on a graph: through a server, or on its session in this process.

`loads.py server TARGET PID` and `loads.py session VERSION` read lines `BATCH CONCURRENT SECONDS`
and answer each with JSON: questions answered, seconds of wall time, CPU seconds of what serves,
and of whoever asks (none where nothing is between them).

Requests are bytes made beforehand, and of a reply only the length is looked at in the loop: what
a client makes of its questions and answers is no cost of the server's, and would slow it down on
cores that they share. Every reply is read and checked once, before counting begins.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from asking import answer, question, spent

MODEL = "seq2sum"
METHOD = "/tensorflow.serving.PredictionService/Predict"
REQUESTS = 16
"""Different ones, in turn."""
WARM_UP = 0.3
"""Seconds before counting begins."""

TURNS = 8
"""Calls of each caller at least, however long they take: a share of one is lost at either end."""
TICK = 0.02
"""Seconds between two looks at how many there are."""

Measured = tuple[int, float, float, float]


def questions(batch: int, which: int) -> list[bytes]:
    """The questions of one request."""
    return [question(number).encode() for number in range(which * batch, (which + 1) * batch)]


def check(texts: Sequence[bytes], batch: int, which: int) -> None:
    """That these are the answers to them."""
    wanted = [b"%d" % answer(n) for n in range(which * batch, (which + 1) * batch)]
    assert list(texts) == wanted, "wrong answers"


class Through:
    """Asks a server, by tasks that each wait for their answer before they ask again."""

    def __init__(self, target: str, pid: str) -> None:
        self._target = target
        self._pid = pid

    def __call__(self, batch: int, concurrent: int, seconds: float) -> Measured:
        return asyncio.run(self._measured(batch, concurrent, seconds))

    async def _measured(self, batch: int, concurrent: int, seconds: float) -> Measured:
        import grpc
        from tensorflow_serving.apis import predict_pb2

        unlimited = [("grpc.max_receive_message_length", -1)]
        async with grpc.aio.insecure_channel(self._target, options=unlimited) as channel:
            ask = channel.unary_unary(METHOD)
            requests = [_request(questions(batch, which)) for which in range(REQUESTS)]
            lengths = []
            for which, request in enumerate(requests):
                reply = await ask(request, timeout=60)
                found = predict_pb2.PredictResponse.FromString(reply)
                check(found.outputs["answers"].string_val, batch, which)
                lengths.append(len(reply))
            done = [0] * concurrent
            stop = False

            async def caller(which: int) -> None:
                number = which
                while not stop:
                    place = number % REQUESTS
                    reply = await ask(requests[place], timeout=60)
                    assert len(reply) == lengths[place], "another answer than before"
                    done[which] += 1
                    number += 1

            tasks = [asyncio.create_task(caller(which)) for which in range(concurrent)]
            await asyncio.sleep(WARM_UP)
            before, began = sum(done), time.perf_counter()
            ours, theirs = time.process_time(), spent(self._pid)
            while time.perf_counter() < began + seconds or sum(done) < before + TURNS * concurrent:
                assert not any(task.done() for task in tasks), "a caller failed"
                await asyncio.sleep(TICK)
            calls, took = sum(done) - before, time.perf_counter() - began
            ours, theirs = time.process_time() - ours, spent(self._pid) - theirs
            stop = True
            await asyncio.gather(*tasks)
        return calls * batch, took, theirs, ours


class Inside:
    """Calls the session of a version, by threads; arrays of strings in, arrays of strings out."""

    def __init__(self, version: str) -> None:
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # it tells of functions that it would rather not have
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.loader.load(self._session, ["serve"], version)
        signature = loaded.signature_def["serving_default"]
        [fed] = signature.inputs.values()
        names = sorted(signature.outputs)
        self._answers = names.index("answers")
        self._call = self._callable(fed.name, [signature.outputs[name].name for name in names])

    def _callable(self, feed: str, fetches: list[str]) -> Callable[[Any], list[Any]]:
        from tensorflow.core.protobuf import config_pb2

        options = config_pb2.CallableOptions(feed=[feed], fetch=fetches)
        options.run_options.inter_op_thread_pool = -1  # the thread that calls
        made: Callable[[Any], list[Any]] = self._session._make_callable_from_options(options)
        return made

    def __call__(self, batch: int, concurrent: int, seconds: float) -> Measured:
        arrays = [np.array(questions(batch, which), object) for which in range(REQUESTS)]
        for which, array in enumerate(arrays):
            check(self._call(array)[self._answers].tolist(), batch, which)
        done = [0] * concurrent
        stop = threading.Event()

        def caller(which: int) -> None:
            number = which
            while not stop.is_set():
                self._call(arrays[number % REQUESTS])
                done[which] += 1
                number += 1

        threads = [threading.Thread(target=caller, args=(n,)) for n in range(concurrent)]
        for thread in threads:
            thread.start()
        time.sleep(WARM_UP)
        before, began, cpu = sum(done), time.perf_counter(), time.process_time()
        while time.perf_counter() < began + seconds or sum(done) < before + TURNS * concurrent:
            assert all(thread.is_alive() for thread in threads), "a caller failed"
            time.sleep(TICK)
        calls, took = sum(done) - before, time.perf_counter() - began
        cpu = time.process_time() - cpu
        stop.set()
        for thread in threads:
            thread.join()
        return calls * batch, took, cpu, 0.0


def _request(texts: Sequence[bytes]) -> bytes:
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    tensor = request.inputs["questions"]
    tensor.dtype = 7  # DT_STRING
    tensor.tensor_shape.dim.add(size=len(texts))
    tensor.string_val.extend(texts)
    encoded: bytes = request.SerializeToString()
    return encoded


def main(kind: str, *arguments: str) -> None:
    """Answers the lines on standard input until there are no more."""
    load = {"server": Through, "session": Inside}[kind](*arguments)
    for line in sys.stdin:
        batch, concurrent, seconds = line.split()
        found = load(int(batch), int(concurrent), float(seconds))
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.path.insert(0, str(Path(__file__).parent))
    main(*sys.argv[1:])
