"""What the page shows: models with their versions, and how long calls took, as one JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seq2sum_serving.embedded.lifecycle.states import VersionState
from seq2sum_serving.embedded.monitoring import metrics
from seq2sum_serving.embedded.server_core import ModelView


@dataclass(frozen=True, slots=True)
class Latencies:
    """How long the successful calls of one kind took; microseconds."""

    model: str
    """Model name."""
    api: str
    """As in the metric: `Predict` by gRPC, `predict` by REST, empty for status and metadata."""
    entrypoint: str
    """`GRPC` or `REST`."""
    sum: float
    """Of all calls."""
    counts: Sequence[int]
    """Calls by bucket, shortest first; the last one has no upper bound."""


def overview_text(models: Iterable[ModelView]) -> str:
    """The models and the latencies of their calls.

    Calls for names that no model has are left out: there is no end of names.
    """
    views = list(models)
    names = {view.name for view in views}
    found = [entry for entry in latencies() if entry.model in names]
    return json.dumps(
        {
            "models": [_model(view) for view in views],
            "latency_bounds": metrics.LATENCY_BUCKETS,
            "latencies": [asdict(entry) for entry in found],
        }
    )


def latencies() -> list[Latencies]:
    """The cells of the latency histogram, sorted by model and kind of call."""
    return [
        Latencies(model, api, entrypoint, found.total, found.counts)
        for (model, api, entrypoint), found in sorted(metrics.REQUEST_LATENCY.cells().items())
    ]


def _model(view: ModelView) -> dict[str, Any]:
    return {
        "name": view.name,
        "base_path": view.base_path,
        "labels": {label: str(version) for label, version in view.labels.items()},
        "versions": [_version(number, entry) for number, entry in view.versions.items()],
    }


def _version(number: int, entry: VersionState) -> dict[str, Any]:
    # As text, like the API's: a browser's numbers end at 53 bits.
    return {
        "version": str(number),
        "state": entry.state.name,
        "error": str(entry.error) if entry.error else "",
    }
