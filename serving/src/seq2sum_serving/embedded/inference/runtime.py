"""Running a servable, and counting the time it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from seq2sum_serving.embedded.inference.servable import Arrays, Servable
from seq2sum_serving.embedded.monitoring import metrics

RUNTIME = "TF1"
"""What TensorFlow Serving calls a session."""
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
    """Runs it and counts a success in `runtime_latency`, waiting in a queue included.

    Args:
        servable: What runs.
        feeds: Arrays by tensor name.
        fetches: Names of the tensors wanted.
        model: Name that the request gave.
        api: `Predict`, `Classify` or `Regress`.
        timeout: Seconds, or None.
    """
    started = perf_counter()
    outputs = servable.run(feeds, fetches, timeout=timeout)
    micros = (perf_counter() - started) * MICROS
    metrics.RUNTIME_LATENCY.labels(model, api, RUNTIME).observe(micros)
    return outputs
