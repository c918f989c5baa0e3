"""The web page at `/`, its files, and the data that it polls.

Its Content-Security-Policy allows only files and requests of this server, and no code in texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import PurePath
from typing import Any

from seq2sum_serving.embedded.lifecycle.states import VersionState
from seq2sum_serving.embedded.monitoring import metrics
from seq2sum_serving.embedded.rest.replies import Reply
from seq2sum_serving.embedded.server_core import ModelView

PATH = "/"
FILES_PATH = "/page/"
DATA_PATH = "/models.json"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

_FOLDER = "web"
_INDEX = "page.html"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_HEADERS = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)


@dataclass(frozen=True, slots=True)
class Latencies:
    """Latency histogram of the successful calls of one kind, in microseconds."""

    model: str
    """Model name."""
    api: str
    """As in the metric: `Predict` for gRPC, `predict` for REST, empty for status and metadata."""
    entrypoint: str
    """`GRPC` or `REST`."""
    sum: float
    """Sum over all calls."""
    counts: Sequence[int]
    """Calls by bucket, shortest first; the last bucket has no upper bound."""


class Page:
    """The page, its files and its data."""

    def __init__(self, models: Callable[[], Sequence[ModelView]]) -> None:
        self._models = models
        self._files = files()

    def reply(self, verb: str, path: str) -> Reply | None:
        """Returns the page, one of its files or its data; None for any other request."""
        if verb not in ("GET", "HEAD"):
            return None
        if path == DATA_PATH:
            return Reply(200, page_data(self._models()).encode(), headers=_HEADERS)
        return self._files.get(path)


def files() -> Mapping[str, Reply]:
    """Reads the page and its files; returns their replies by path."""
    replies = {}
    for file in resources.files(__package__).joinpath(_FOLDER).iterdir():
        content_type = _TYPES.get(PurePath(file.name).suffix)
        if content_type:
            path = PATH if file.name == _INDEX else FILES_PATH + file.name
            headers = (("Content-Security-Policy", POLICY), *_HEADERS)
            replies[path] = Reply(200, file.read_bytes(), content_type, headers)
    return replies


def page_data(models: Iterable[ModelView]) -> str:
    """Returns the models and the latencies of their calls as JSON.

    Calls for unknown models are omitted, because clients can send any number of names.
    """
    views = list(models)
    names = {view.name for view in views}
    return json.dumps(
        {
            "models": [_model(view) for view in views],
            "latency_bounds": metrics.LATENCY_BUCKETS,
            "latencies": [asdict(entry) for entry in latencies() if entry.model in names],
        }
    )


def latencies() -> list[Latencies]:
    """Returns the cells of the latency histogram, sorted by model and kind of call."""
    return [
        Latencies(model, api, entrypoint, cell.total, cell.counts)
        for (model, api, entrypoint), cell in sorted(metrics.REQUEST_LATENCY.cells().items())
    ]


def _model(view: ModelView) -> dict[str, Any]:
    return {
        "name": view.name,
        "base_path": view.base_path,
        "labels": {label: str(version) for label, version in view.labels.items()},
        "versions": [_version(number, entry) for number, entry in view.versions.items()],
    }


def _version(number: int, entry: VersionState) -> dict[str, Any]:
    # A string, as in the API: numbers in JavaScript have only 53 bits.
    return {
        "version": str(number),
        "state": entry.state.name,
        "error": str(entry.error) if entry.error else "",
    }
