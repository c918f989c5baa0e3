"""The web page at `/`, and the data that it polls.

Its Content-Security-Policy allows only the page's own script and style, by their hashes, and
requests to this server.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

from seq2sum_serving.embedded.lifecycle.states import VersionState
from seq2sum_serving.embedded.monitoring import metrics
from seq2sum_serving.embedded.rest.replies import Reply
from seq2sum_serving.embedded.server_core import ModelView

PATH = "/"
DATA_PATH = "/models.json"

_FILE = "page.html"
_TYPE = "text/html; charset=utf-8"
_COMMON_HEADERS = (
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
    """The page and its data."""

    def __init__(self, models: Callable[[], Sequence[ModelView]]) -> None:
        self._models = models
        text = resources.files(__package__).joinpath(_FILE).read_text("utf-8")
        headers = (("Content-Security-Policy", policy(text)), *_COMMON_HEADERS)
        self._page = Reply(200, text.encode(), _TYPE, headers)

    def reply(self, verb: str, path: str) -> Reply | None:
        """Returns the page or its data; None for any other request."""
        if verb not in ("GET", "HEAD"):
            return None
        if path == PATH:
            return self._page
        if path == DATA_PATH:
            return Reply(200, page_data(self._models()).encode(), headers=_COMMON_HEADERS)
        return None


def policy(page: str) -> str:
    """Returns a Content-Security-Policy that allows a page only its own script and style."""
    rules = {
        "default-src": "'none'",
        "script-src": _hashes("script", page),
        "style-src": _hashes("style", page),
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


def _hashes(tag: str, page: str) -> str:
    texts = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"


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
