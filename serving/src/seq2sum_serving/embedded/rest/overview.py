"""What the page shows: models with their versions, and how long calls took, as one JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from prometheus_client.samples import Sample

from seq2sum_serving.embedded.core import ModelView
from seq2sum_serving.embedded.lifecycle.states import VersionState
from seq2sum_serving.embedded.monitoring import metrics


@dataclass(slots=True)
class Latencies:
    """How long the successful calls of one kind took; microseconds."""

    model: str
    """Model name."""
    api: str
    """As in the metric: `Predict` by gRPC, `predict` by REST, empty for status and metadata."""
    entrypoint: str
    """`GRPC` or `REST`."""
    sum: float = 0
    """Of all calls."""
    counts: list[int] = field(default_factory=list)
    """Calls by bucket, shortest first; the last one has no upper bound."""


def overview_text(models: Iterable[ModelView]) -> str:
    """The models and the latencies of their calls.

    Calls for names that no model has are left out: there is no end of names.
    """
    views = list(models)
    names = {view.name for view in views}
    [family] = metrics.REQUEST_LATENCY.collect()
    found = [entry for entry in latencies(family.samples) if entry.model in names]
    return json.dumps(
        {
            "models": [_model(view) for view in views],
            "latency_bounds": metrics.LATENCY_BUCKETS,
            "latencies": [asdict(entry) for entry in found],
        }
    )


def latencies(samples: Iterable[Sample]) -> list[Latencies]:
    """The cells of the latency histogram, sorted by model and kind of call.

    Args:
        samples: In the order of the library: buckets of one cell from short to long.
    """
    cells: dict[tuple[str, str, str], Latencies] = {}
    totals: dict[tuple[str, str, str], int] = {}
    for sample in samples:
        labels = sample.labels
        key = (labels["model_name"], labels["API"], labels["entrypoint"])
        cell = cells.setdefault(key, Latencies(*key))
        if sample.name.endswith("_bucket"):
            # The library's counts are running totals.
            cell.counts.append(int(sample.value) - totals.get(key, 0))
            totals[key] = int(sample.value)
        elif sample.name.endswith("_sum"):
            cell.sum = sample.value
    return [cells[key] for key in sorted(cells)]


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
