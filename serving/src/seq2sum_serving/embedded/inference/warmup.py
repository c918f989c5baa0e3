"""Warm-up: recorded requests that run before a version becomes available.

TensorFlow optimizes the part of the graph that a kind of request needs when the first such request
runs. If a record fails, the load of the version fails.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from seq2sum_serving.embedded.errors import Code, ServingError, invalid_argument
from seq2sum_serving.embedded.files import local_path
from seq2sum_serving.embedded.inference import tensorflow_parts as tf
from seq2sum_serving.embedded.inference.classify import classify
from seq2sum_serving.embedded.inference.multi_inference import multi_inference
from seq2sum_serving.embedded.inference.options import InferenceOptions
from seq2sum_serving.embedded.inference.predict import predict
from seq2sum_serving.embedded.inference.regress import regress
from seq2sum_serving.embedded.inference.servable import Servable
from seq2sum_serving.embedded.inference.session_runner import serving_error
from seq2sum_serving.embedded.monitoring import metrics

FILE = "assets.extra/tf_serving_warmup_requests"
"""Path of the records in a version: a TFRecord file of PredictionLogs."""
MAX_RECORDS = 1000
"""With more records, the load fails, but only after the first excess record has run."""
MICROS = 1e6

METHODS: dict[str, Callable[..., Any]] = {
    "predict_log": predict,
    "classify_log": classify,
    "regress_log": regress,
    "multi_inference_log": multi_inference,
}
"""Methods by the field of a PredictionLog."""

log = logging.getLogger(__name__)


def warm_up(
    servable: Servable, path: str, *, version: int, options: InferenceOptions, iterations: int = 1
) -> None:
    """Runs the records in a version's directory in order, each for a number of iterations.

    A version without records is accepted.

    Raises:
        ServingError: A record failed or cannot be read, or the file has too many.
    """
    file = local_path(path, FILE)
    if not file.exists():
        log.info("No warmup data file found at %s", file)
        return
    started = perf_counter()
    count = 0
    for record in _records(file, path, started):
        for _ in range(iterations):
            _run(servable, record, version, options)
        count += 1
        if count > MAX_RECORDS:
            raise invalid_argument(
                f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {file}"
            )
    _count(path, "OK", started)
    metrics.WARMUP_RECORDS_READ.labels(path, "OK").inc(count)
    log.info("Finished reading warmup data for model at %s: %d records", file, count)


def _records(file: Path, path: str, started: float) -> Iterator[Any]:
    """Yields the PredictionLogs of a file."""
    try:
        for content in tf.tf_record_iterator(str(file)):
            yield _parsed(content, file)
    except tf.errors.DataLossError as error:
        broken = serving_error(error)
        _count(path, str(broken), started)
        raise ServingError(
            broken.code,
            f"{broken.message}. Please verify your warmup data is in TFRecord format.",
        ) from error
    except tf.errors.OpError as error:
        raise serving_error(error) from error


def _parsed(content: bytes, file: Path) -> Any:
    try:
        return prediction_log_pb2.PredictionLog.FromString(content)
    except DecodeError as error:
        text = content.decode(errors="replace")
        raise invalid_argument(f"Failed to parse warmup record: {text} from {file}") from error


def _run(servable: Servable, record: Any, version: int, options: InferenceOptions) -> None:
    """Runs a record; an empty one is skipped."""
    field = record.WhichOneof("log_type")
    if field is None:
        return
    method = METHODS.get(field)
    if method is None:
        number = record.DESCRIPTOR.fields_by_name[field].number
        raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {number}")
    method(servable, version, getattr(record, field).request, options=options, timeout=None)


def _count(path: str, status: str, started: float) -> None:
    micros = (perf_counter() - started) * MICROS
    metrics.WARMUP_LATENCY.labels(path, status).observe(micros)
