"""Puts loads on servers and measures throughput, latency and CPU time.

Runs as a separate process. Each line on stdin is a JSON object with `target`, `pid`, `seconds`
and the fields of a `Load`; the reply is a line with the fields of a `Sample`. Callers are closed
loops: each waits for its reply before it sends the next request. With `arrivals`, single questions
arrive as well, at that rate and without waiting for earlier replies (an open loop); the latencies
are then theirs, measured from the time when each was due.

Requests are encoded beforehand, and in the loop only the length of a reply is checked: encoding
and decoding are the client's cost, and would take CPU time from a server on the same cores. Each
reply is decoded and checked once, before the measurement starts.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import sys
import time
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import grpc
from seq2sum.protocol import predict_pb2

from benchmarks.load.requests import (
    METHOD,
    REQUESTS,
    UNLIMITED,
    check_answers,
    encode,
    questions,
)
from benchmarks.support.process_stats import cpu_seconds

WARM_UP = 0.15
"""Seconds before the measurement starts."""
MIN_CALLS = 3
"""Minimum per caller: at each end of a measurement, a part of one call is not counted."""
POLL_SECONDS = 0.02
TIMEOUT = 60
"""Seconds for one call."""

Call = Any
"""A unary call of a channel."""


class Load(NamedTuple):
    """A number of callers and the size of their requests."""

    model: str
    rows: int
    """Questions per call."""
    callers: int
    """Concurrent calls."""
    arrivals: int = 0
    """Single questions per second that arrive in addition."""

    def __str__(self) -> str:
        single = f" + {self.arrivals}/s" if self.arrivals else ""
        return f"{self.model} {self.rows:,} × {self.callers}{single}"


class Sample(NamedTuple):
    """One load on one server, measured for a short time."""

    questions_per_second: float
    p50: float
    """Milliseconds of a call; with `arrivals`, of a single question."""
    p99: float
    cpu_microseconds: float
    """Per question, in the server."""
    client_cpu_microseconds: float
    """Per question, in the load generator."""


class Requests:
    """The encoded requests for one server, and the lengths of the replies."""

    def __init__(self, target: str, model: str, rows: int) -> None:
        self._target = target
        self._rows = rows
        self._requests = [encode(model, questions(rows, index)) for index in range(REQUESTS)]
        self._lengths: list[int] = []

    async def check_once(self, call: Call) -> None:
        """Sends each request once, on first use, and checks the whole reply."""
        for index in range(len(self._lengths), REQUESTS):
            reply = await call(self._requests[index], timeout=TIMEOUT)
            found = predict_pb2.PredictResponse.FromString(reply)
            check_answers(found.outputs["answers"].string_val, self._rows, index)
            self._lengths.append(len(reply))

    async def send(self, call: Call, number: int) -> None:
        """Sends one request and checks the length of the reply."""
        index = number % REQUESTS
        reply = await call(self._requests[index], timeout=TIMEOUT)
        assert len(reply) == self._lengths[index], f"{self._target}: the answer has changed"


requests_to = cache(Requests)
"""Requests by target, model and rows, so that each server is checked only once."""


class Callers:
    """Tasks that put a load on a server and record latencies."""

    def __init__(self, call: Call, target: str, load: Load) -> None:
        self._call = call
        self._load = load
        self._requests = requests_to(target, load.model, load.rows)
        self._single = requests_to(target, load.model, 1)
        self._stopped = False
        self.finished: list[tuple[float, float]] = []
        """End and duration of each call of the closed loops."""
        self.arrived: list[tuple[float, float]] = []
        """End and duration of each single question that arrived in addition."""

    async def check_once(self) -> None:
        """Checks all replies unless that has been done."""
        await self._requests.check_once(self._call)
        if self._load.arrivals:
            await self._single.check_once(self._call)

    def start(self) -> list[asyncio.Task[None]]:
        """Starts all tasks."""
        tasks = [self._closed_loop(number) for number in range(self._load.callers)]
        if self._load.arrivals:
            tasks.append(self._open_loop())
        return [asyncio.create_task(task) for task in tasks]

    def stop(self) -> None:
        """Lets each task end after its current call."""
        self._stopped = True

    async def _closed_loop(self, number: int) -> None:
        while not self._stopped:
            start = time.perf_counter()
            await self._requests.send(self._call, number)
            self.finished.append((time.perf_counter(), time.perf_counter() - start))
            number += 1

    async def _open_loop(self) -> None:
        gaps = random.Random(0)  # the same for every server
        due, number = time.perf_counter(), 0
        async with asyncio.TaskGroup() as group:
            while not self._stopped:
                due += gaps.expovariate(self._load.arrivals)
                await asyncio.sleep(max(0, due - time.perf_counter()))
                group.create_task(self._send_single(due, number))
                number += 1

    async def _send_single(self, due: float, number: int) -> None:
        await self._single.send(self._call, number)
        self.arrived.append((time.perf_counter(), time.perf_counter() - due))


async def sample(target: str, pid: int, load: Load, seconds: float) -> Sample:
    """Measures a load on the server with this process ID."""
    async with grpc.aio.insecure_channel(target, options=UNLIMITED) as channel:
        callers = Callers(channel.unary_unary(METHOD), target, load)
        await callers.check_once()
        tasks = callers.start()
        await asyncio.sleep(WARM_UP)
        before, start = len(callers.finished), time.perf_counter()
        client_cpu, server_cpu = time.process_time(), cpu_seconds(pid)
        enough = before + MIN_CALLS * load.callers
        while time.perf_counter() < start + seconds or len(callers.finished) < enough:
            for task in tasks:
                if task.done():
                    task.result()  # raises the error that ended it
            await asyncio.sleep(POLL_SECONDS)
        end, calls = time.perf_counter(), len(callers.finished) - before
        client_cpu, server_cpu = time.process_time() - client_cpu, cpu_seconds(pid) - server_cpu
        callers.stop()
        await asyncio.gather(*tasks)
    total = calls * load.rows + sum(start <= moment <= end for moment, _ in callers.arrived)
    # Calls that finish after `end` count for latency: they may be the slowest ones.
    timed = callers.arrived if load.arrivals else callers.finished
    latencies = sorted(duration for moment, duration in timed if moment >= start)
    return Sample(
        total / (end - start),
        percentile(latencies, 0.5) * 1e3,
        percentile(latencies, 0.99) * 1e3,
        server_cpu / total * 1e6,
        client_cpu / total * 1e6,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the nearest-rank percentile of sorted values, for a share from 0 to 1."""
    return values[max(0, math.ceil(len(values) * share) - 1)]


def main() -> None:
    """Answers the lines on standard input until its end."""
    for line in sys.stdin:
        fields: dict[str, Any] = json.loads(line)
        target, pid, seconds = (fields.pop(name) for name in ("target", "pid", "seconds"))
        found = asyncio.run(sample(target, pid, Load(**fields), seconds))
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
