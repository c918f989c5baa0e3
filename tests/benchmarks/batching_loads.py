"""Loads that are put on servers, with the latencies that their callers see.

Reads lines of JSON, `{"target", "pid", "model", "rows", "callers", "beside", "seconds"}`, and
answers each with the fields of a `Sample`. Callers wait for their answer before they ask again.
With `beside`, single questions come as well, so many a second, whether earlier ones are answered
or not; then the latencies are theirs, counted from when each was due.

Requests are bytes made beforehand, as in loads.py, and every reply is checked once.
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
from pathlib import Path
from typing import Any, NamedTuple

import grpc
from asking import spent
from loads import METHOD, REQUESTS, TICK, check, questions
from seq2sum._tensors import fill_with_strings
from seq2sum.protocol import predict_pb2

WARM_UP = 0.15
"""Seconds before counting begins; every server has had a longer first one."""
TURNS = 3
"""Calls of each caller at least, however long they take: a share of one is lost at either end."""
DEADLINE = 60

Ask = Any
"""The method of a channel."""


class Load(NamedTuple):
    """What is asked at a time."""

    model: str
    rows: int
    """Questions a call."""
    callers: int
    """Calls at a time."""
    beside: int = 0
    """Single questions a second that come beside them."""

    def __str__(self) -> str:
        single = f" + {self.beside}/s" if self.beside else ""
        return f"{self.model} {self.rows:,} × {self.callers}{single}"


class Sample(NamedTuple):
    """What came of one load on one server, over a short while."""

    questions_a_second: float
    p50: float
    """Milliseconds of a call; of a single question where there are some beside."""
    p99: float
    cpu_microseconds: float
    """Of one question, in the server."""
    client_cpu_microseconds: float
    """Of one question, in the process that asks."""


class Calls:
    """Requests to one server, and what the replies to them look like."""

    def __init__(self, target: str, model: str, rows: int) -> None:
        self._target = target
        self._rows = rows
        self._requests = [request(model, questions(rows, which)) for which in range(REQUESTS)]
        self._lengths: list[int] = []

    async def prepare(self, ask: Ask) -> None:
        """The first time, asks each request once and reads the whole reply."""
        for which in range(len(self._lengths), REQUESTS):
            reply = await ask(self._requests[which], timeout=DEADLINE)
            found = predict_pb2.PredictResponse.FromString(reply)
            check(found.outputs["answers"].string_val, self._rows, which)
            self._lengths.append(len(reply))

    async def one(self, ask: Ask, number: int) -> None:
        """One call."""
        place = number % REQUESTS
        reply = await ask(self._requests[place], timeout=DEADLINE)
        assert len(reply) == self._lengths[place], f"{self._target}: another answer"


calls_to = cache(Calls)
"""The requests to a server; whoever serves is asked all of them only once."""


def request(model: str, texts: Sequence[bytes], *, signature: str = "") -> bytes:
    """A Predict request as it is sent."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name = model
    message.model_spec.signature_name = signature
    fill_with_strings(message.inputs["questions"], texts)
    return message.SerializeToString()


class Callers:
    """Those who put a load on a server, and what they see."""

    def __init__(self, ask: Ask, target: str, load: Load) -> None:
        self._ask = ask
        self._load = load
        self._calls = calls_to(target, load.model, load.rows)
        self._single = calls_to(target, load.model, 1)
        self._stop = False
        self.answered: list[tuple[float, float]] = []
        """When a call ended, and how long it took."""
        self.beside: list[tuple[float, float]] = []
        """The same of the single questions beside them."""

    async def prepare(self) -> None:
        """Has the replies checked if they have not been yet."""
        await self._calls.prepare(self._ask)
        if self._load.beside:
            await self._single.prepare(self._ask)

    def start(self) -> list[asyncio.Task[None]]:
        """All of them begin."""
        tasks = [self._caller(which) for which in range(self._load.callers)]
        if self._load.beside:
            tasks.append(self._arrivals())
        return [asyncio.create_task(task) for task in tasks]

    def stop(self) -> None:
        """Whoever has an answer asks no more."""
        self._stop = True

    async def _caller(self, which: int) -> None:
        number = which
        while not self._stop:
            began = time.perf_counter()
            await self._calls.one(self._ask, number)
            self.answered.append((time.perf_counter(), time.perf_counter() - began))
            number += 1

    async def _arrivals(self) -> None:
        gaps = random.Random(0)  # the same for every server
        due, number = time.perf_counter(), 0
        async with asyncio.TaskGroup() as group:
            while not self._stop:
                due += gaps.expovariate(self._load.beside)
                await asyncio.sleep(max(0, due - time.perf_counter()))
                group.create_task(self._one(due, number))
                number += 1

    async def _one(self, due: float, number: int) -> None:
        await self._single.one(self._ask, number)
        self.beside.append((time.perf_counter(), time.perf_counter() - due))


async def sample(target: str, pid: int, load: Load, seconds: float) -> Sample:
    """Puts the load on the server."""
    unlimited = [("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(target, options=unlimited) as channel:
        callers = Callers(channel.unary_unary(METHOD), target, load)
        await callers.prepare()
        tasks = callers.start()
        await asyncio.sleep(WARM_UP)
        skipped, began = len(callers.answered), time.perf_counter()
        ours, theirs = time.process_time(), spent(str(pid))
        enough = skipped + TURNS * load.callers
        while time.perf_counter() < began + seconds or len(callers.answered) < enough:
            for task in tasks:
                if task.done():
                    task.result()  # raises what went wrong
            await asyncio.sleep(TICK)
        ended, asked = time.perf_counter(), len(callers.answered) - skipped
        ours, theirs = time.process_time() - ours, spent(str(pid)) - theirs
        callers.stop()
        await asyncio.gather(*tasks)
    total = asked * load.rows + sum(began <= moment <= ended for moment, _ in callers.beside)
    # Those that end only now are looked at too: they may be the ones that took longest.
    seen = callers.beside if load.beside else callers.answered
    latencies = sorted(took for moment, took in seen if moment >= began)
    return Sample(
        total / (ended - began),
        percentile(latencies, 0.5) * 1e3,
        percentile(latencies, 0.99) * 1e3,
        theirs / total * 1e6,
        ours / total * 1e6,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The least of sorted values that so large a share of them does not exceed."""
    return values[max(0, math.ceil(len(values) * share) - 1)]


def main() -> None:
    """Answers the lines on standard input until there are no more."""
    for line in sys.stdin:
        wanted: dict[str, Any] = json.loads(line)
        target, pid, seconds = (wanted.pop(name) for name in ("target", "pid", "seconds"))
        found = asyncio.run(sample(target, pid, Load(**wanted), seconds))
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
