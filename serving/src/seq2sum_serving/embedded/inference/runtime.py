"""Runs a servable and records the duration in the metric `runtime_latency`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from seq2sum_serving.embedded.inference.servable import Arrays, Servable
from seq2sum_serving.embedded.monitoring import metrics

RUNTIME = "TF1"
"""TensorFlow Serving's `runtime` label of models that run in a session."""
MICROS = 1e6


def run(
    servable: Servable,
    feeds: Mapping[str, Any],
    fetches: Sequence[str],
    *,
    model: str,
    api: str,
    timeout: float | None,
) -> Arrays:
    """Runs a servable as `Servable.run` describes, and records the time of a successful run.

    The time includes the wait in a batching queue. `model` is the name in the request, `api` is
    `Predict`, `Classify` or `Regress`.
    """
    started = perf_counter()
    outputs = servable.run(feeds, fetches, timeout=timeout)
    record(model, api, started)
    return outputs


def record(model: str, api: str, started: float) -> None:
    """Records the time of a successful run that started at a time of `perf_counter`."""
    micros = (perf_counter() - started) * MICROS
    metrics.RUNTIME_LATENCY.labels(model, api, RUNTIME).observe(micros)
