"""serving/config/batching.config: follows from the measurements, and rejects no call of the SDK."""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
from concurrent.futures import Future

import grpc
import numpy as np
import pytest
from conformance.case import FIXTURE
from deploy import compose_file
from google.protobuf import text_format
from seq2sum._calls import ROWS_PER_CALL
from seq2sum.protocol import predict_pb2, tensor_pb2
from seq2sum_serving.configuration.batching_pb2 import BatchingParameters
from seq2sum_serving.embedded.batching.parameters import from_message
from seq2sum_serving.embedded.batching.queues import Queue
from seq2sum_serving.embedded.batching.tasks import Task
from seq2sum_serving.embedded.errors import Code, ServingError
from support import servers
from support.paths import ROOT

from benchmarks.batching import config_file, report
from benchmarks.batching.candidates import (
    CALLERS,
    CONTROL,
    OFF,
    PLAIN,
    candidates,
    enqueued,
    parameters,
)
from benchmarks.load.requests import METHOD, UNLIMITED

pytestmark = pytest.mark.tensorflow

PATH = ROOT / "serving" / "config" / "batching.config"
RESULTS = ROOT / "benchmarks" / "results" / "batching.json"
PARAMETERS = {each.name: each.parameters for each in candidates(2) if each.parameters}
all_parameters = pytest.mark.parametrize("given", PARAMETERS.values(), ids=PARAMETERS.keys())
IN_FLIGHT = CALLERS - 1
"""Calls that can run at once: one of the server's threads always waits for the next call."""


def parsed(text):
    """Returns the parameters as a server parses them."""
    return from_message(text_format.Parse(text, BatchingParameters()))


def put(waiting, sizes):
    for number, size in enumerate(sizes):
        waiting.put(Task({"x": np.zeros(size)}, ["y"], size, number, Future()), number)


def test_file_follows_from_the_measurements():
    measured = report.from_json(RESULTS.read_text())
    assert PATH.read_text() == config_file.render(*measured)


def test_results_survive_a_round_trip():
    text = RESULTS.read_text()
    assert report.to_json(*report.from_json(text)) == text


def test_file_names_its_origin():
    comments = [line for line in PATH.read_text().splitlines() if line.startswith("#")]
    text = "\n".join(comments)
    assert "`make bench-batching`" in text
    assert str(RESULTS.relative_to(ROOT)) in text


@all_parameters
def test_server_accepts_all_measured_parameters(given):
    found = parsed(config_file.render_parameters(given))
    found.check_threads()
    found.check_queues()
    assert found.num_batch_threads == given.num_batch_threads
    assert found.max_batch_size == given.max_batch_size
    assert round(found.batch_timeout * 1e6) == given.batch_timeout_micros
    assert found.max_enqueued_batches == given.max_enqueued_batches
    assert found.allowed_batch_sizes == given.allowed_batch_sizes
    assert found.splits is (given.max_execution_batch_size is not None)
    assert found.max_execution_batch_size in (given.max_execution_batch_size, given.max_batch_size)


@all_parameters
def test_largest_call_of_the_client_is_accepted(given):
    assert given.max_batch_size >= ROWS_PER_CALL
    assert given.allowed_batch_sizes[-1:] in ((), (given.max_batch_size,))


@all_parameters
@pytest.mark.parametrize("seed", range(4))
def test_no_call_of_a_burst_is_refused(given, seed):
    """No call runs in the meantime: each admitted call fits into the queue."""
    draw = random.Random(seed)
    kinds = [ROWS_PER_CALL], [1, ROWS_PER_CALL], [ROWS_PER_CALL, ROWS_PER_CALL - 1, 3]
    sizes = (
        [draw.randint(1, ROWS_PER_CALL) for _ in range(IN_FLIGHT)]
        if seed == len(kinds)
        else list(itertools.islice(itertools.cycle(kinds[seed]), IN_FLIGHT))
    )
    put(Queue(parsed(config_file.render_parameters(given)), print), sizes)


@all_parameters
def test_queue_is_not_longer_than_needed(given):
    found = parsed(config_file.render_parameters(given))
    rows = CALLERS * ROWS_PER_CALL
    batch = given.max_execution_batch_size or given.max_batch_size
    assert found.max_enqueued_batches * batch <= rows + batch
    with pytest.raises(ServingError) as refused:
        put(Queue(found, print), [ROWS_PER_CALL] * (CALLERS + 1))
    assert refused.value.code == Code.UNAVAILABLE


def test_size_below_the_largest_call_is_an_error():
    with pytest.raises(ValueError, match=f"1000 rows are too few: .* up to {ROWS_PER_CALL}"):
        parameters(threads=2, size=1000)


@pytest.mark.parametrize(
    ("size", "parts", "batches"),
    [(4096, None, 256), (8192, None, 128), (8191, None, 256), (12288, None, 86), (8192, 512, 2048)],
)
def test_room_for_a_burst_is_counted_in_batches(size, parts, batches):
    assert enqueued(size, parts) == batches


def test_callers_match_the_limit_of_production():
    flags = compose_file.flag_values(compose_file.services()["serving"])
    assert int(flags["grpc_max_threads"]) == CALLERS
    plain = next(each for each in candidates(2) if each.name == PLAIN)
    assert plain.flags("b.config")[0] == (
        f"--tensorflow_intra_op_parallelism={flags['tensorflow_intra_op_parallelism']}"
    )


def test_only_the_control_repeats_a_candidate():
    every = candidates(2)
    assert len({each.name for each in every}) == len(every)
    started = [(each.intra_op_threads, each.parameters) for each in every]
    twice = {
        each.name for each, flags in zip(every, started, strict=True) if started.count(flags) > 1
    }
    assert twice == {OFF, CONTROL}


def predict(signature, name, tensor):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "fixture"
    request.model_spec.signature_name = signature
    request.inputs[name].CopyFrom(tensor)
    return request.SerializeToString()


def vector(dtype, count, **values):
    tensor = tensor_pb2.TensorProto(dtype=dtype, **values)
    tensor.tensor_shape.dim.add(size=count)
    return tensor


@pytest.mark.embedded
def test_server_with_the_file_answers_a_burst_of_the_largest_calls(tmp_path):
    """Its batch threads are busy when the burst arrives, so nearly all of it is queued."""
    given = parsed(PATH.read_text())
    flags = (
        "--enable_batching=true", f"--batching_parameters_file={PATH}",
        f"--grpc_max_threads={CALLERS}",
    )  # fmt: skip
    base = tmp_path / "fixture"
    shutil.copytree(FIXTURE / "1", base / "1")
    server = servers.Server.launch(base, tmp_path, model_name="fixture", flags=flags, forked=True)
    # A whole batch each, so that no two of them are merged.
    slow = predict(
        "slow",
        "steps",
        vector(tensor_pb2.DT_INT32, given.max_batch_size, int_val=[4000] * given.max_batch_size),
    )
    large = predict(
        "serving_default",
        "questions",
        vector(tensor_pb2.DT_STRING, ROWS_PER_CALL, string_val=[b"1+2"] * ROWS_PER_CALL),
    )

    async def burst():
        async with grpc.aio.insecure_channel(server.target, options=UNLIMITED) as channel:
            call = channel.unary_unary(METHOD)
            busy = [slow] * given.num_batch_threads
            requests = [*busy, *[large] * (IN_FLIGHT - len(busy))]
            return await asyncio.gather(*(call(request, timeout=60) for request in requests))

    try:
        server.wait_until_open()
        replies = asyncio.run(burst())
    finally:
        server.stop()
    last = predict_pb2.PredictResponse.FromString(replies[-1])
    assert len(last.outputs["answers"].string_val) == ROWS_PER_CALL
