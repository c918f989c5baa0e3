"""Calls that share a run: their ends, and the versions that they hold."""

from __future__ import annotations

import threading

import pytest
from seq2sum_serving.embedded.batching.batched_servable import BatchedServable
from seq2sum_serving.embedded.batching.parameters import BatchingParameters
from seq2sum_serving.embedded.batching.scheduler import Scheduler
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference import tensor_bytes
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.lifecycle.serving_map import ServingMap
from seq2sum_serving.embedded.model_spec import ModelSpecResolver
from seq2sum_serving.embedded.prediction_service import PredictionService
from support.scripted_servable import FLOAT, STRING, ScriptedServable, floats, signature, texts
from tensorflow_serving.apis import predict_pb2

pytestmark = pytest.mark.tensorflow


def request(*rows):
    made = predict_pb2.PredictRequest(model_spec={"name": "m"})
    made.inputs["x"].dtype = STRING
    made.inputs["x"].string_val.extend(rows)
    made.inputs["x"].tensor_shape.dim.add(size=len(rows))
    return made


class WithoutThreads(Scheduler):
    """Runs batches in the callers' threads only: no other thread takes the first request away."""

    def _start(self):
        pass


@pytest.fixture
def batched():
    definition = signature({"x": STRING}, {"y": FLOAT})
    scripted = ScriptedServable({"serving_default": definition}, y=floats(1, 2, 3))
    servable = BatchedServable(scripted, BatchingParameters(), WithoutThreads(1, "test"))
    versions = ServingMap()
    versions.add("m", 1, servable)
    yield scripted, versions
    remove = threading.Thread(target=versions.remove, args=("m", 1), daemon=True)
    remove.start()
    remove.join(10)
    assert not remove.is_alive()  # each test has released the version
    servable.close()


@pytest.fixture
def started(batched):
    """Starts requests, runs them together, and returns their outcomes."""
    service = PredictionService(ModelSpecResolver(batched[1].handle).handle, InferenceOptions())

    def started(*requests):
        outcomes = []
        ends = [service.start_predict(each, None, outcomes.append) for each in requests]
        assert not outcomes
        ends[-1]()
        return outcomes

    return started


def test_requests_that_were_started_share_a_run(batched, started):
    outcomes = started(request(b"a"), request(b"b", b"c"))
    responses = [predict_pb2.PredictResponse.FromString(outcome) for outcome in outcomes]
    assert [list(each.outputs["y"].float_val) for each in responses] == [[1], [2, 3]]
    assert batched[0].fed == [{"x:0": [b"a", b"b", b"c"]}]


def test_a_failed_run_fails_its_requests(batched, started):
    batched[0].outputs = {"y:0": texts()}
    outcomes = started(request(b"a"), request(b"b", b"c"))
    assert [outcome.code for outcome in outcomes] == [Code.FAILED_PRECONDITION] * 2


def test_a_response_that_is_too_large_is_an_internal_error(started, monkeypatch):
    monkeypatch.setattr(tensor_bytes, "LARGEST_MESSAGE", 10)
    [error] = started(request(b"a", b"b", b"c"))
    assert isinstance(error, ServingError)
    assert error.code is Code.INTERNAL
    assert "larger than a message" in error.message


def test_a_refused_request_and_one_without_rows_are_not_started(batched):
    service = PredictionService(ModelSpecResolver(batched[1].handle).handle, InferenceOptions())
    assert service.start_predict(request(), None, pytest.fail) is None
    with pytest.raises(ServingError, match="larger than maximum"):
        service.start_predict(request(*[b"a"] * 1001), None, pytest.fail)
