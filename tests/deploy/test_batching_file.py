"""serving/config/batching.config: it follows from measurements, and refuses no caller of ours."""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
from concurrent.futures import Future

import batching_candidates
import batching_file
import batching_report
import grpc
import numpy as np
import pytest
import servers
from batching_candidates import CALLERS, PLAIN, candidates, enqueued, parameters
from conformance.case import FIXTURE
from conftest import ROOT
from deploy import compose_file
from google.protobuf import text_format
from loads import METHOD
from seq2sum._chunks import ROWS_PER_CALL
from seq2sum.protocol import predict_pb2, tensor_pb2
from seq2sum_serving.configuration.batching_pb2 import BatchingParameters
from seq2sum_serving.embedded.batching.parameters import of_message
from seq2sum_serving.embedded.batching.queues import Queue
from seq2sum_serving.embedded.batching.tasks import Task
from seq2sum_serving.embedded.errors import Code, ServingError

PATH = ROOT / "serving" / "config" / "batching.config"
MEASURED = ROOT / "docs" / "batching.json"
WAYS = {each.name: each.parameters for each in candidates(2) if each.parameters}
every_way = pytest.mark.parametrize("given", WAYS.values(), ids=WAYS.keys())
IN_FLIGHT = CALLERS - 1
"""Calls under way at a time: one thread always waits for the next."""


def as_read(text):
    """The parameters as a server reads them."""
    return of_message(text_format.Parse(text, BatchingParameters()))


def put(waiting, sizes):
    for number, size in enumerate(sizes):
        waiting.put(Task({"x": np.zeros(size)}, ["y"], size, number, Future()), number)


def test_the_file_is_what_the_measurements_say():
    measured = batching_report.read(MEASURED.read_text())
    assert PATH.read_text() == batching_file.of_measurements(*measured)


def test_measurements_are_written_as_they_are_read():
    text = MEASURED.read_text()
    assert batching_report.record(*batching_report.read(text)) == text


def test_the_file_says_which_way_it_is_and_where_it_comes_from():
    comments = [line for line in PATH.read_text().splitlines() if line.startswith("#")]
    told = "\n".join(comments)
    assert "`make bench-batching`" in told
    assert "docs/batching.json" in told


@every_way
def test_a_server_takes_every_way_that_is_measured(given):
    read = as_read(batching_file.of_parameters(given))
    read.check_threads()
    read.check_queues()
    assert read.num_batch_threads == given.num_batch_threads
    assert read.max_batch_size == given.max_batch_size
    assert round(read.batch_timeout * 1e6) == given.batch_timeout_micros
    assert read.max_enqueued_batches == given.max_enqueued_batches
    assert read.allowed_batch_sizes == given.allowed_batch_sizes
    assert read.splits is (given.max_execution_batch_size is not None)
    assert read.max_execution_batch_size in (given.max_execution_batch_size, given.max_batch_size)


@every_way
def test_the_largest_call_of_the_client_is_taken(given):
    assert given.max_batch_size >= ROWS_PER_CALL
    assert given.allowed_batch_sizes[-1:] in ((), (given.max_batch_size,))


@every_way
@pytest.mark.parametrize("seed", range(4))
def test_no_call_of_a_burst_is_refused_whatever_their_sizes(given, seed):
    """None runs meanwhile: whoever is let in has a place."""
    draw = random.Random(seed)
    kinds = [ROWS_PER_CALL], [1, ROWS_PER_CALL], [ROWS_PER_CALL, ROWS_PER_CALL - 1, 3]
    sizes = (
        [draw.randint(1, ROWS_PER_CALL) for _ in range(IN_FLIGHT)]
        if seed == len(kinds)
        else list(itertools.islice(itertools.cycle(kinds[seed]), IN_FLIGHT))
    )
    put(Queue(as_read(batching_file.of_parameters(given)), print), sizes)


@every_way
def test_the_queue_is_no_longer_than_that(given):
    read = as_read(batching_file.of_parameters(given))
    rows = CALLERS * ROWS_PER_CALL
    batch = given.max_execution_batch_size or given.max_batch_size
    assert read.max_enqueued_batches * batch <= rows + batch
    with pytest.raises(ServingError) as refused:
        put(Queue(read, print), [ROWS_PER_CALL] * (CALLERS + 1))
    assert refused.value.code == Code.UNAVAILABLE


def test_a_size_that_no_call_of_the_client_fits_into_is_an_error():
    with pytest.raises(ValueError, match=f"up to {ROWS_PER_CALL} rows: 1000 is too small"):
        parameters(threads=2, size=1000)


@pytest.mark.parametrize(
    ("size", "pieces", "batches"),
    [(4096, None, 256), (8192, None, 128), (8191, None, 256), (12288, None, 86), (8192, 512, 2048)],
)
def test_room_for_a_burst_is_counted_in_batches(size, pieces, batches):
    assert enqueued(size, pieces) == batches


def test_callers_are_as_many_as_production_lets_in():
    flags = compose_file.flag_values(compose_file.services()["serving"])
    assert int(flags["grpc_max_threads"]) == CALLERS
    plain = next(each for each in candidates(2) if each.name == PLAIN)
    assert plain.flags("b.config")[0] == (
        f"--tensorflow_intra_op_parallelism={flags['tensorflow_intra_op_parallelism']}"
    )


def test_candidates_are_told_apart_by_name_and_only_the_control_is_the_same():
    every = candidates(2)
    assert len({each.name for each in every}) == len(every)
    started = [(each.intra_op_threads, each.parameters) for each in every]
    twice = {each.name for each, how in zip(every, started, strict=True) if started.count(how) > 1}
    assert twice == {batching_candidates.OFF, batching_candidates.CONTROL}


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
def test_a_server_with_the_file_answers_all_of_a_burst_of_the_largest_calls(tmp_path):
    """Its batch threads are busy when the burst comes, so that nearly all of it has to wait."""
    given = as_read(PATH.read_text())
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
        unlimited = [("grpc.max_receive_message_length", -1)]
        async with grpc.aio.insecure_channel(server.target, options=unlimited) as channel:
            ask = channel.unary_unary(METHOD)
            busy = [slow] * given.num_batch_threads
            calls = [*busy, *[large] * (IN_FLIGHT - len(busy))]
            return await asyncio.gather(*(ask(call, timeout=60) for call in calls))

    try:
        server.wait_until_open()
        replies = asyncio.run(burst())
    finally:
        server.stop()
    last = predict_pb2.PredictResponse.FromString(replies[-1])
    assert len(last.outputs["answers"].string_val) == ROWS_PER_CALL
