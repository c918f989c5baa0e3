"""Every metric of the server, under TensorFlow Serving's names.

One registry per process, as in tensorflow/core/lib/monitoring/collection_registry.h. Labels are
exported in the order in which they are declared. Times are microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from seq2sum_serving.embedded.monitoring.metric_types import Counter, Gauge, Histogram

METRICS: dict[str, Counter | Gauge | Histogram] = {}
"""All metrics by TensorFlow Serving's name, which is a path."""

AnyMetric = TypeVar("AnyMetric", Counter, Gauge, Histogram)


def _exponential(scale: float, growth: float, count: int) -> tuple[float, ...]:
    """Returns upper bounds of buckets.

    In TensorFlow Serving a value that equals a bound belongs to the bucket above it
    (tensorflow/core/lib/histogram/histogram.cc), in a `Histogram` to the bucket below: so the
    bounds are the next smaller numbers.
    """
    return tuple(math.nextafter(scale * growth**power, 0) for power in range(count))


LATENCY_BUCKETS = _exponential(10, 1.8, 33)
QUEUING_BUCKETS = _exponential(100, 1.2, 52)
EXAMPLE_BUCKETS = _exponential(1, 2, 15)
SIZE_BUCKETS = _exponential(1, 2, 14)


def _counter(name: str, *labels: str) -> Counter:
    return _register(name, Counter(*labels))


def _gauge(name: str, *labels: str) -> Gauge:
    return _register(name, Gauge(*labels))


def _histogram(
    name: str, bounds: Sequence[float], *labels: str, hidden_until_used: bool = False
) -> Histogram:
    return _register(name, Histogram(bounds, *labels, hidden_until_used=hidden_until_used))


def _register(name: str, metric: AnyMetric) -> AnyMetric:
    METRICS[name] = metric
    return metric


REQUEST_COUNT = _counter("/tensorflow/serving/request_count", "model_name", "status")
REQUEST_LATENCY = _histogram(
    "/tensorflow/serving/request_latency", LATENCY_BUCKETS, "model_name", "API", "entrypoint"
)
RUNTIME_LATENCY = _histogram(
    "/tensorflow/serving/runtime_latency", LATENCY_BUCKETS, "model_name", "API", "runtime"
)
REQUEST_EXAMPLE_COUNTS = _histogram(
    "/tensorflow/serving/request_example_counts", EXAMPLE_BUCKETS, "model"
)
REQUEST_EXAMPLE_COUNT_TOTAL = _counter("/tensorflow/serving/request_example_count_total", "model")
REQUEST_LOG_COUNT = _counter("/tensorflow/serving/request_log_count", "model_name", "status_code")
MLMD_MAP = _gauge("/tensorflow/serving/mlmd_map", "model_name", "version")
WARMUP_LATENCY = _histogram(
    "/tensorflow/serving/model_warmup_latency", LATENCY_BUCKETS, "model_path", "status"
)
WARMUP_RECORDS_READ = _counter(
    "/tensorflow/serving/model_warmup_records_read", "model_path", "status"
)
LOAD_ATTEMPT_COUNT = _counter(
    "/tensorflow/cc/saved_model/load_attempt_count", "model_path", "status"
)
LOAD_LATENCY = _counter("/tensorflow/cc/saved_model/load_latency", "model_path")
LOAD_LATENCY_BY_STAGE = _histogram(
    "/tensorflow/cc/saved_model/load_latency_by_stage", LATENCY_BUCKETS, "model_path", "stage"
)
QUEUING_LATENCY = _histogram(
    "/tensorflow/serving/batching_session/queuing_latency", QUEUING_BUCKETS, "thread_pool_name"
)
PADDING_SIZE = _histogram(
    "/tensorflow/serving/batching_session/padding_size",
    SIZE_BUCKETS,
    "execution_batch_size",
    hidden_until_used=True,
)
INPUT_BATCH_SIZE = _histogram(
    "/tensorflow/serving/batching_session/input_batch_size", SIZE_BUCKETS, hidden_until_used=True
)
PROCESSED_BATCH_SIZE = _histogram(
    "/tensorflow/serving/batching_session/processed_batch_size",
    SIZE_BUCKETS,
    hidden_until_used=True,
)
WRAPPED_RUN_COUNT = _counter("/tensorflow/serving/batching_session/wrapped_run_count")
