"""The page at `/`: one file, and the data that it asks for again and again.

It may run nothing but itself and talk to nobody but this server: its policy names its own script
and style by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from importlib import resources

from seq2sum_serving.embedded.rest.overview import overview_text
from seq2sum_serving.embedded.rest.replies import Reply
from seq2sum_serving.embedded.server_core import ModelView

PATH = "/"
DATA_PATH = "/models.json"

_FILE = "page.html"
_TYPE = "text/html; charset=utf-8"
_COMMON = (
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)


class Page:
    """The page and its data."""

    def __init__(self, models: Callable[[], Sequence[ModelView]]) -> None:
        self._models = models
        text = resources.files(__package__).joinpath(_FILE).read_text("utf-8")
        self._page = Reply(
            200,
            text.encode(),
            _TYPE,
            (("Content-Security-Policy", policy(text)), *_COMMON),
        )

    def reply(self, verb: str, path: str) -> Reply | None:
        """The page or its data; None if something else is asked for."""
        if verb not in ("GET", "HEAD"):
            return None
        if path == PATH:
            return self._page
        if path == DATA_PATH:
            return Reply(200, overview_text(self._models()).encode(), headers=_COMMON)
        return None


def policy(page: str) -> str:
    """The Content-Security-Policy that lets a page use its own script and style, and no others."""
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
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
