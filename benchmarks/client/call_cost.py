"""Measures the client's CPU time of one call, next to that of raw gRPC with the same messages.

`python -m benchmarks.client.call_cost TARGET ROUNDS` prints JSON: the costs of each style and
its baseline. All styles take turns in one process, in short slices and random order, so that other
load on the machine affects them alike; medians are compared. Answers are checked.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import grpc
import seq2sum
from seq2sum.protocol import predict_pb2, tensor_pb2

from benchmarks.load.requests import METHOD

CALLERS = 64
"""Concurrent asyncio tasks."""
CALLS, CONCURRENT_CALLS = 200, 960
"""Calls in a slice, without and with concurrency."""
QUESTION, SUM = "53+42", 95
RAW, RAW_AIO = "raw grpc", "raw grpc.aio, 64 tasks"


class Cost(NamedTuple):
    """The client's CPU time of one style."""

    style: str
    baseline: str
    """The style of raw gRPC that it is compared with."""
    microseconds: float
    """Per call."""
    ratio: float
    """Relative to the baseline."""


def request() -> predict_pb2.PredictRequest:
    """Returns a Predict of one question, made by hand."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name = "seq2sum"
    message.model_spec.signature_name = "serving_default"
    tensor = message.inputs["questions"]
    tensor.dtype = tensor_pb2.DT_STRING
    tensor.tensor_shape.dim.add(size=1)
    tensor.string_val.append(QUESTION.encode())
    return message


def answer(reply: predict_pb2.PredictResponse) -> int:
    """Returns the answer in a reply, and reads the rest as a caller would."""
    outputs = reply.outputs
    assert outputs["status"].int_val[0] == 0
    assert outputs["confidence"].float_val[0] > 0.5
    assert reply.model_spec.version.value
    return int(outputs["answers"].string_val[0])


async def measure(target: str, rounds: int) -> list[Cost]:
    """Runs all styles in turn; returns the medians."""
    serializers = {
        "request_serializer": predict_pb2.PredictRequest.SerializeToString,
        "response_deserializer": predict_pb2.PredictResponse.FromString,
    }
    with (
        grpc.insecure_channel(target) as channel,
        seq2sum.Client(target) as client,
        seq2sum.ModelClient(target, model="seq2sum") as model_client,
    ):
        async with (
            grpc.aio.insecure_channel(target) as aio_channel,
            seq2sum.AsyncClient(target) as aio_client,
            seq2sum.AsyncModelClient(target, model="seq2sum") as aio_model_client,
            seq2sum.AsyncClient(target, coalescing=seq2sum.Coalescing()) as coalescing,
        ):
            raw = channel.unary_unary(METHOD, **serializers)
            raw_aio = aio_channel.unary_unary(METHOD, **serializers)
            inputs = {"questions": [QUESTION]}

            async def call_raw() -> int:
                return answer(await raw_aio(request(), timeout=10))

            async def add() -> int | None:
                return (await aio_client.add(QUESTION)).value

            async def predict() -> int:
                return int((await aio_model_client.predict(inputs))["answers"].tolist()[0])

            async def coalesced() -> int | None:
                return (await coalescing.add(QUESTION)).value

            blocking: dict[str, Callable[[], int | None]] = {
                RAW: lambda: answer(raw(request(), timeout=10)),
                "add": lambda: client.add(QUESTION).value,
                "predict": lambda: int(model_client.predict(inputs)["answers"].tolist()[0]),
            }
            concurrent: dict[str, Callable[[], Awaitable[int | None]]] = {
                RAW_AIO: call_raw,
                "add, 64 tasks": add,
                "predict, 64 tasks": predict,
                "add, 64 tasks, coalesced": coalesced,
            }
            samples: dict[str, list[float]] = {style: [] for style in (*blocking, *concurrent)}
            order = list(samples)
            for number in range(rounds + 1):
                random.shuffle(order)
                for style in order:
                    if style in blocking:
                        cost = blocking_cost(blocking[style])
                    else:
                        cost = await concurrent_cost(concurrent[style])
                    if number:  # the first round is a warm-up
                        samples[style].append(cost)
    medians = {style: statistics.median(group) for style, group in samples.items()}
    baselines = {style: RAW if style in blocking else RAW_AIO for style in medians}
    return [
        Cost(style, baselines[style], cost, cost / medians[baselines[style]])
        for style, cost in medians.items()
    ]


def blocking_cost(call: Callable[[], int | None]) -> float:
    """Returns the CPU microseconds of a call, made one after the other."""
    start = time.process_time()
    for _ in range(CALLS):
        assert call() == SUM
    return (time.process_time() - start) / CALLS * 1e6


async def concurrent_cost(call: Callable[[], Awaitable[int | None]]) -> float:
    """Returns the CPU microseconds of a call, made in concurrent tasks."""

    async def caller() -> None:
        for _ in range(CONCURRENT_CALLS // CALLERS):
            assert await call() == SUM

    start = time.process_time()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return (time.process_time() - start) / CONCURRENT_CALLS * 1e6


if __name__ == "__main__":
    found = asyncio.run(measure(sys.argv[1], int(sys.argv[2])))
    print(json.dumps([cost._asdict() for cost in found]))
