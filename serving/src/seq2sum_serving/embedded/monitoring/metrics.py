"""Every metric of the server, under TensorFlow Serving's names.

One registry a process, as there. Labels are given in the order in which they are written.
Times are microseconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge

from seq2sum_serving.embedded.monitoring.sampler import Sampler

REGISTRY = CollectorRegistry()

Metric = Counter | Gauge | Sampler
METRICS: dict[str, Metric] = {}
"""All of them by TensorFlow Serving's name, which is a path."""
UNSEEN_UNTIL_USED: set[str] = set()
"""Names that are not even declared to a reader before something was recorded."""

AnyMetric = TypeVar("AnyMetric", Counter, Gauge, Sampler)


@cache
def cell(metric: AnyMetric, *labels: str) -> AnyMetric:
    """One labelled value of a metric: `metric.labels(*labels)` in a tenth of the time."""
    return metric.labels(*labels)


def _exponential(scale: float, growth: float, count: int) -> tuple[float, ...]:
    """Upper bounds of buckets.

    There a value that equals a limit belongs to the bucket above it, in Prometheus' library to
    the one below: the bounds are a hair smaller than what is written.
    """
    return tuple(math.nextafter(scale * growth**power, 0) for power in range(count))


LATENCY_BUCKETS = _exponential(10, 1.8, 33)
QUEUING_BUCKETS = _exponential(100, 1.2, 52)
EXAMPLE_BUCKETS = _exponential(1, 2, 15)
SIZE_BUCKETS = _exponential(1, 2, 14)


def _counter(name: str, *labels: str) -> Counter:
    return _declared(name, Counter(_written(name), name, labels, registry=REGISTRY))


def _gauge(name: str, *labels: str) -> Gauge:
    return _declared(name, Gauge(_written(name), name, labels, registry=REGISTRY))


def _histogram(
    name: str, buckets: Iterable[float], *labels: str, unseen_until_used: bool = False
) -> Sampler:
    if unseen_until_used:
        UNSEEN_UNTIL_USED.add(name)
    buckets = tuple(buckets)
    return _declared(
        name, Sampler(_written(name), name, labels, buckets=buckets, registry=REGISTRY)
    )


def _declared(name: str, metric: AnyMetric) -> AnyMetric:
    METRICS[name] = metric
    return metric


def _written(name: str) -> str:
    """A metric's name as Prometheus reads it."""
    return name.replace("/", ":")


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
    unseen_until_used=True,
)
INPUT_BATCH_SIZE = _histogram(
    "/tensorflow/serving/batching_session/input_batch_size", SIZE_BUCKETS, unseen_until_used=True
)
PROCESSED_BATCH_SIZE = _histogram(
    "/tensorflow/serving/batching_session/processed_batch_size",
    SIZE_BUCKETS,
    unseen_until_used=True,
)
WRAPPED_RUN_COUNT = _counter("/tensorflow/serving/batching_session/wrapped_run_count")
