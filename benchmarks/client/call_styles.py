"""Measures one style of calling a server, in a separate process.

`python -m benchmarks.client.call_styles STYLE TARGET PID SECONDS` prints JSON: questions answered,
seconds of wall time, CPU seconds of this process, and those of the server with this process ID.
Answers are checked.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

from benchmarks.load.requests import UNLIMITED, answer, question
from benchmarks.support.process_stats import cpu_seconds

CALLERS = 64
"""Concurrent callers of single questions."""
ROWS = 4096
"""Questions per call in the styles with large calls."""
BULK = 50 * ROWS
"""Questions per call to a method that splits them into RPCs itself."""
WARM_UP = 0.5
"""Seconds before the measurement starts."""
IN_FLIGHT = 4
"""Concurrent large RPCs: one for each of the server's two cores, and two in transit."""
POLL_SECONDS = 0.05

QUESTIONS = [question(number) for number in range(BULK)]
SUMS = [str(answer(number)) for number in range(BULK)]
TEXTS = [text.encode() for text in SUMS]

Counts = Iterator[int]
"""Yields the number of questions answered since the previous yield."""


def upstream(target: str, rows: int) -> Counts:
    """Calls tensorflow-serving-api as its documentation does, with `rows` questions per call."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    stub = prediction_service_pb2_grpc.PredictionServiceStub(
        grpc.insecure_channel(target, options=UNLIMITED)
    )
    for start in cycle(range(0, BULK, rows)):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "seq2sum"
        chosen = QUESTIONS[start : start + rows]
        request.inputs["questions"].CopyFrom(tf.make_tensor_proto(chosen, tf.string))
        response = stub.Predict(request, timeout=60)
        answers = tf.make_ndarray(response.outputs["answers"])
        assert answers.tolist() == TEXTS[start : start + rows]
        yield rows


def upstream_single(target: str) -> Counts:
    """Calls tensorflow-serving-api with one question per call."""
    return upstream(target, 1)


def upstream_bulk(target: str) -> Counts:
    """Calls tensorflow-serving-api with 4,096 questions per call."""
    return upstream(target, ROWS)


def open_client(target: str, **options: Any) -> Any:
    """Returns our client; imported here, because a process imports only what it measures."""
    import seq2sum

    return seq2sum.Client(target, timeout=60, **options)


def add(target: str) -> Counts:
    """Calls `add` in a loop."""
    with open_client(target) as client:
        for number in range(10**9):
            assert client.add(question(number)).value == answer(number)
            yield 1


def threads(target: str, **options: Any) -> Counts:
    """Calls `add` in 64 threads, with an RPC for each question."""
    done = [0] * CALLERS
    stop = threading.Event()
    with open_client(target, **options) as client:

        def caller(index: int) -> None:
            number = index
            while not stop.is_set():
                assert client.add(question(number)).value == answer(number)
                done[index] += 1
                number += CALLERS

        callers = [threading.Thread(target=caller, args=(index,)) for index in range(CALLERS)]
        for thread in callers:
            thread.start()
        before = 0
        try:
            while all(thread.is_alive() for thread in callers):
                time.sleep(POLL_SECONDS)
                total = sum(done)
                yield total - before
                before = total
            raise AssertionError("a caller failed")
        finally:
            stop.set()
            for thread in callers:
                thread.join()


def threads_coalesced(target: str) -> Counts:
    """Calls `add` in 64 threads; their questions share RPCs."""
    import seq2sum

    return threads(target, coalescing=seq2sum.Coalescing())


def tasks(target: str, **options: Any) -> Counts:
    """Calls `add` in 64 tasks, with an RPC for each question."""
    import seq2sum

    async def caller(client: seq2sum.AsyncClient, index: int) -> None:
        number = index
        while True:
            assert (await client.add(question(number))).value == answer(number)
            done[index] += 1
            number += CALLERS

    done = [0] * CALLERS
    with asyncio.Runner() as runner:
        client = seq2sum.AsyncClient(target, timeout=60, **options)
        callers: list[asyncio.Task[None]] = []

        async def start() -> None:
            callers.extend(asyncio.create_task(caller(client, index)) for index in range(CALLERS))

        runner.run(start())
        before = 0
        try:
            while not any(task.done() for task in callers):
                runner.run(asyncio.sleep(POLL_SECONDS))
                total = sum(done)
                yield total - before
                before = total
            raise AssertionError("a caller failed")
        finally:
            for task in callers:
                task.cancel()
            runner.run(client.close())


def tasks_coalesced(target: str) -> Counts:
    """Calls `add` in 64 tasks; their questions share RPCs."""
    import seq2sum

    return tasks(target, coalescing=seq2sum.Coalescing())


def add_many(target: str) -> Counts:
    """Calls `add_many` in a loop."""
    with open_client(target, max_in_flight=IN_FLIGHT) as client:
        while True:
            found = client.add_many(QUESTIONS)
            assert len(found) == BULK
            assert all(
                each.text == text for each, text in zip(found[::97], SUMS[::97], strict=True)
            )
            yield BULK


def add_columns(target: str) -> Counts:
    """Calls `add_columns` in a loop."""
    with open_client(target, max_in_flight=IN_FLIGHT) as client:
        while True:
            assert client.add_columns(QUESTIONS).texts == TEXTS
            yield BULK


def add_stream(target: str) -> Counts:
    """Consumes one endless `add_stream`."""
    with open_client(target, max_in_flight=IN_FLIGHT) as client:
        answers = client.add_stream(cycle(QUESTIONS))
        while True:
            for text, found in zip(SUMS, answers, strict=False):
                assert found.text == text
            yield BULK


def stream_columns(target: str) -> Counts:
    """Consumes one endless `stream_columns`."""
    with open_client(target, max_in_flight=IN_FLIGHT) as client:
        for number, part in enumerate(client.stream_columns(cycle(QUESTIONS))):
            start = number * ROWS % BULK
            assert part.texts == TEXTS[start : start + ROWS]
            yield len(part)


STYLES: dict[str, Callable[[str], Counts]] = {
    style.__name__: style
    for style in (
        upstream_single, add, threads, threads_coalesced, tasks, tasks_coalesced,
        upstream_bulk, add_many, add_stream, add_columns, stream_columns,
    )
}  # fmt: skip
"""By name, in the order of the tables."""


def main(style: str, target: str, server_pid: str, seconds: str) -> None:
    """Runs one style for about `seconds`, after a warm-up."""
    counts, pid = STYLES[style](target), int(server_pid)
    start = time.perf_counter()
    while time.perf_counter() - start < WARM_UP:
        next(counts)
    questions, start, cpu, server_cpu = (
        0, time.perf_counter(), time.process_time(), cpu_seconds(pid),
    )  # fmt: skip
    while time.perf_counter() - start < float(seconds):
        questions += next(counts)
    wall, cpu, server_cpu = (
        time.perf_counter() - start, time.process_time() - cpu, cpu_seconds(pid) - server_cpu,
    )  # fmt: skip
    print(json.dumps([questions, wall, cpu, server_cpu]))
    counts.close()  # type: ignore[attr-defined]  # all of them are generators


if __name__ == "__main__":
    main(*sys.argv[1:])
