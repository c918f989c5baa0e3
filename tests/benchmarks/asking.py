"""Ways to ask a server, each for a while in a process of its own.

`asking.py WAY TARGET PID SECONDS` prints JSON: questions answered, seconds of wall time, CPU
seconds of this process and of the server with this process id. Answers are checked.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

CALLERS = 64
"""Concurrent callers of single questions."""
ROWS = 4096
"""Questions of one call, where calls are large."""
BULK = 50 * ROWS
"""Questions of one call to a method that splits them itself."""
WARM_UP = 0.5
"""Seconds before counting begins."""
IN_FLIGHT = 4
"""Large calls under way: two for the server's cores, two on the way."""


def question(number: int) -> str:
    """One of the million questions."""
    return f"{number % 1000}+{number // 7 % 1000}"


def answer(number: int) -> int:
    """Its answer."""
    return number % 1000 + number // 7 % 1000


QUESTIONS = [question(number) for number in range(BULK)]
SUMS = [str(answer(number)) for number in range(BULK)]
TEXTS = [text.encode() for text in SUMS]


def upstream(target: str, rows: int) -> Callable[[int], int]:
    """tensorflow-serving-api as its users call it, `rows` questions in a call."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    options = [("grpc.max_receive_message_length", -1)]
    stub = prediction_service_pb2_grpc.PredictionServiceStub(
        grpc.insecure_channel(target, options=options)
    )

    def ask(number: int) -> int:
        begin = number * rows % BULK
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "seq2sum"
        chosen = QUESTIONS[begin : begin + rows]
        request.inputs["questions"].CopyFrom(tf.make_tensor_proto(chosen, tf.string))
        response = stub.Predict(request, timeout=60)
        answers = tf.make_ndarray(response.outputs["answers"])
        assert answers.tolist() == TEXTS[begin : begin + rows]
        return rows

    return ask


def upstream_one(target: str) -> Iterator[int]:
    """A loop of calls with one question each."""
    yield from map(upstream(target, 1), range(10**9))


def upstream_many(target: str) -> Iterator[int]:
    """A loop of calls with 4,096 questions each."""
    yield from map(upstream(target, ROWS), range(10**9))


def client(target: str, **how: Any) -> Any:
    """Our client, and nothing heavy in the process."""
    import seq2sum

    return seq2sum.Client(target, timeout=60, **how)


def add(target: str) -> Iterator[int]:
    """A loop of `add`."""
    with client(target) as asked:
        for number in range(10**9):
            assert asked.add(question(number)).value == answer(number)
            yield 1


def in_threads(target: str, **how: Any) -> Iterator[int]:
    """64 threads, each in a loop of `add`."""
    done = [0] * CALLERS
    stop = threading.Event()
    with client(target, in_flight=CALLERS, **how) as asked:

        def caller(which: int) -> None:
            number = which
            while not stop.is_set():
                assert asked.add(question(number)).value == answer(number)
                done[which] += 1
                number += CALLERS

        threads = [threading.Thread(target=caller, args=(n,)) for n in range(CALLERS)]
        for thread in threads:
            thread.start()
        before = 0
        try:
            while all(thread.is_alive() for thread in threads):
                time.sleep(0.05)
                total = sum(done)
                yield total - before
                before = total
            raise AssertionError("a caller failed")
        finally:
            stop.set()
            for thread in threads:
                thread.join()


def threads_alone(target: str) -> Iterator[int]:
    """Threads, an RPC for each question."""
    return in_threads(target)


def threads_coalesced(target: str) -> Iterator[int]:
    """Threads whose questions share RPCs."""
    import seq2sum

    return in_threads(target, coalesce=seq2sum.Coalesce())


def in_tasks(target: str, **how: Any) -> Iterator[int]:
    """64 tasks, each in a loop of `add`."""
    import seq2sum

    async def caller(asked: seq2sum.AsyncClient, which: int) -> None:
        number = which
        while True:
            assert (await asked.add(question(number))).value == answer(number)
            done[which] += 1
            number += CALLERS

    done = [0] * CALLERS
    with asyncio.Runner() as runner:
        asked = seq2sum.AsyncClient(target, timeout=60, in_flight=CALLERS, **how)
        tasks: list[asyncio.Task[None]] = []

        async def begin() -> None:
            tasks.extend(asyncio.create_task(caller(asked, n)) for n in range(CALLERS))

        runner.run(begin())
        before = 0
        try:
            while not any(task.done() for task in tasks):
                runner.run(asyncio.sleep(0.05))
                total = sum(done)
                yield total - before
                before = total
            raise AssertionError("a caller failed")
        finally:
            for task in tasks:
                task.cancel()
            runner.run(asked.close())


def tasks_alone(target: str) -> Iterator[int]:
    """Tasks, an RPC for each question."""
    return in_tasks(target)


def tasks_coalesced(target: str) -> Iterator[int]:
    """Tasks whose questions share RPCs."""
    import seq2sum

    return in_tasks(target, coalesce=seq2sum.Coalesce())


def add_many(target: str) -> Iterator[int]:
    """A loop of `add_many`."""
    with client(target, in_flight=IN_FLIGHT) as asked:
        while True:
            found = asked.add_many(QUESTIONS)
            assert len(found) == BULK
            assert all(
                each.text == text for each, text in zip(found[::97], SUMS[::97], strict=True)
            )
            yield BULK


def add_columns(target: str) -> Iterator[int]:
    """A loop of `add_columns`."""
    with client(target, in_flight=IN_FLIGHT) as asked:
        while True:
            assert asked.add_columns(QUESTIONS).texts == TEXTS
            yield BULK


def add_stream(target: str) -> Iterator[int]:
    """One endless `add_stream`, every answer taken."""
    with client(target, in_flight=IN_FLIGHT) as asked:
        answers = asked.add_stream(cycle(QUESTIONS))
        while True:
            for text, found in zip(SUMS, answers, strict=False):
                assert found.text == text
            yield BULK


def stream_columns(target: str) -> Iterator[int]:
    """One endless `stream_columns`."""
    with client(target, in_flight=IN_FLIGHT) as asked:
        for number, part in enumerate(asked.stream_columns(cycle(QUESTIONS))):
            begin = number * ROWS % BULK
            assert part.texts == TEXTS[begin : begin + ROWS]
            yield len(part)


WAYS: dict[str, Callable[[str], Iterator[int]]] = {
    way.__name__: way
    for way in (
        upstream_one, add, threads_alone, threads_coalesced, tasks_alone, tasks_coalesced,
        upstream_many, add_many, add_stream, add_columns, stream_columns,
    )
}  # fmt: skip
"""By name, in the order of the tables."""


def spent(pid: str) -> float:
    """CPU seconds that a process has used so far (proc(5): fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(way: str, target: str, server: str, seconds: str) -> None:
    """Asks for about that long, after a first while that does not count."""
    rounds = WAYS[way](target)
    begun = time.perf_counter()
    while time.perf_counter() - begun < WARM_UP:
        next(rounds)
    questions, began, cpu, theirs = 0, time.perf_counter(), time.process_time(), spent(server)
    while time.perf_counter() - began < float(seconds):
        questions += next(rounds)
    took, cpu, theirs = (
        time.perf_counter() - began, time.process_time() - cpu, spent(server) - theirs,
    )  # fmt: skip
    print(json.dumps([questions, took, cpu, theirs]))
    rounds.close()  # type: ignore[attr-defined]  # all of them are generators


if __name__ == "__main__":
    main(*sys.argv[1:])
