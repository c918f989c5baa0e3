"""Warm-up: recorded requests that run before a version is available."""

from __future__ import annotations

import pytest
import tensorflow as tf
from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.inference import tensors, warmup
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.signatures import REGRESS
from seq2sum_serving.embedded.monitoring import metrics
from support.scripted_servable import FLOAT, STRING, ScriptedServable, floats, signature
from support.serving_errors import refusal
from tensorflow_serving.apis import prediction_log_pb2

pytestmark = pytest.mark.tensorflow

INPUT = {"inputs": STRING}
SIGNATURES = {
    "serving_default": signature({"x": FLOAT}, {"y": FLOAT}),
    "classify": signature(INPUT, {"scores": FLOAT}),
    "regress": signature(INPUT, {"outputs": FLOAT}),
}


@pytest.fixture
def servable():
    return ScriptedServable(SIGNATURES, y=floats(1), scores=floats([1]), outputs=floats(1))


def predict_log(number=1.0, name=""):
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = "someone"
    request.model_spec.signature_name = name
    request.inputs["x"].CopyFrom(tensors.encode(floats(number)))
    return log


def examples_log(method):
    """A log of `classify` or `regress`."""
    log = prediction_log_pb2.PredictionLog()
    request = getattr(log, f"{method}_log").request
    request.model_spec.signature_name = method
    request.input.example_list.examples.add()
    return log


def multi_log():
    log = prediction_log_pb2.PredictionLog()
    task = log.multi_inference_log.request.tasks.add(method_name=REGRESS)
    task.model_spec.name = "someone"
    task.model_spec.signature_name = "regress"
    log.multi_inference_log.request.input.example_list.examples.add()
    return log


def write(path, *records):
    file = path / warmup.FILE
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as out:
        for record in records:
            out.write(record if isinstance(record, bytes) else record.SerializeToString())
    return file


def warm_up(servable, path, **options):
    warmup.warm_up(servable, str(path), version=7, options=InferenceOptions(), **options)


def warm_ups(path, status):
    """Number of warm-ups with a status in the metrics."""
    return metrics.WARMUP_LATENCY.labels(str(path), status).count


def test_a_version_without_records_is_accepted(servable, tmp_path):
    warm_up(servable, tmp_path)
    assert servable.fetched == []


def test_records_of_all_methods_run_in_order_without_empty_ones(servable, tmp_path):
    write(
        tmp_path,
        predict_log(),
        prediction_log_pb2.PredictionLog(),
        examples_log("regress"),
        multi_log(),
        examples_log("classify"),
    )
    warm_up(servable, tmp_path)
    assert servable.fetched == [["y:0"], ["outputs:0"], ["outputs:0"], ["scores:0"]]
    assert servable.timeouts == [None] * 4
    assert warm_ups(tmp_path, "OK") == 1


def test_each_record_runs_for_all_iterations(servable, tmp_path):
    write(tmp_path, predict_log(1), predict_log(2))
    warm_up(servable, tmp_path, iterations=2)
    assert [feeds["x:0"] for feeds in servable.fed] == [[1], [1], [2], [2]]


def test_a_failed_record_ends_the_warm_up(servable, tmp_path):
    write(tmp_path, predict_log(name="none"), predict_log())
    assert refusal(warm_up, servable, tmp_path) == (
        Code.FAILED_PRECONDITION,
        'Serving signature key "none" not found.',
    )
    assert servable.fed == []


@pytest.mark.parametrize(("kind", "number"), [("session_run_log", 5), ("predict_streamed_log", 7)])
def test_records_of_other_methods_are_unimplemented(servable, tmp_path, kind, number):
    log = prediction_log_pb2.PredictionLog()
    getattr(log, kind).SetInParent()
    write(tmp_path, log)
    assert refusal(warm_up, servable, tmp_path) == (
        Code.UNIMPLEMENTED,
        f"Unsupported log_type for warmup: {number}",
    )


def test_more_than_a_thousand_records_are_refused(servable, tmp_path):
    file = write(tmp_path, *[predict_log()] * 1002)
    assert refusal(warm_up, servable, tmp_path) == (
        Code.INVALID_ARGUMENT,
        f"Number of warmup records exceeds the maximum (1000) at {file}",
    )
    assert len(servable.fed) == 1001


def test_a_record_that_cannot_be_parsed_is_refused(servable, tmp_path):
    file = write(tmp_path, b"malformed")
    assert refusal(warm_up, servable, tmp_path) == (
        Code.INVALID_ARGUMENT,
        f"Failed to parse warmup record: malformed from {file}",
    )


def test_a_file_of_another_format_is_refused_and_counted(servable, tmp_path):
    write(tmp_path).write_bytes(b"these are not the records you are looking for")
    code, message = refusal(warm_up, servable, tmp_path)
    assert code is Code.DATA_LOSS
    assert message.endswith(". Please verify your warmup data is in TFRecord format.")
    status = f"DATA_LOSS: {message.partition('. Please')[0]}"
    assert warm_ups(tmp_path, status) == 1
