"""Parses verbs and request targets by the rules of TensorFlow Serving's REST API.

Paths match without regard to case, except for the last word: `:Predict` is malformed, and
`/METADATA` returns the status. A query string is part of the path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from tensorflow_serving.apis import model_pb2

from seq2sum_serving.embedded.errors import Code, ServingError

VERBS = frozenset({"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"})
"""Verbs that the HTTP layer accepts; others get 501."""

_MODEL = r"/v1/models(?:/([^/:]+)){}(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
_FLAGS = re.IGNORECASE | re.ASCII
_API = re.compile(r"/v1/.*", _FLAGS)
_PREDICTION = re.compile(_MODEL.format("") + r":(classify|regress|predict)", _FLAGS)
_STATUS = re.compile(_MODEL.format("?") + r"(?:/(metadata))?", _FLAGS)

_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*:")
_AUTHORITY = re.compile(rb"//[^/?#]*")
_CHARACTER = rb"[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2}"
_TARGET = re.compile(
    rb"(?P<path>(?:%b)*)(?P<query>\?(?:%b|\?)*)?(?P<fragment>#(?:%b|\?)*)?"
    % (_CHARACTER, _CHARACTER, _CHARACTER)
)
_MAX_VERSION = 2**63 - 1


class Action(Enum):
    """Kinds of calls; the values are the words in the path."""

    PREDICT = "predict"
    CLASSIFY = "classify"
    REGRESS = "regress"
    METADATA = "metadata"
    STATUS = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A well-formed request target."""

    path: str
    """Path without the query, not decoded."""
    full: str
    """Path with query and fragment, not decoded."""

    @property
    def is_api(self) -> bool:
        """Whether the target is under `/v1/`."""
        return _API.fullmatch(self.full) is not None


@dataclass(frozen=True, slots=True)
class Route:
    """A call of the REST API."""

    action: Action
    """Kind of call."""
    model: str
    """Model name, decoded."""
    version: int | None = None
    """Version number, if the path has one."""
    label: str | None = None
    """Version label, decoded, if the path has one."""

    def spec(self) -> model_pb2.ModelSpec:
        """Returns the route as a message."""
        spec = model_pb2.ModelSpec(name=self.model)
        if self.version is not None:
            spec.version.value = self.version
        if self.label is not None:
            spec.version_label = self.label
        return spec


class RouteError(ServingError):
    """A path under `/v1/` that is not a call."""

    def __init__(self, message: str, model: str = "", *, has_empty_body: bool = False) -> None:
        super().__init__(Code.INVALID_ARGUMENT, message)
        self.model = model
        """Model name in the path."""
        self.has_empty_body = has_empty_body
        """Whether the reply omits the message."""


def parse_target(raw: bytes) -> Target | None:
    """Parses a request target; returns None if it is not a URI."""
    if scheme := _SCHEME.match(raw):
        raw = raw[scheme.end() :]
    if authority := _AUTHORITY.match(raw):
        raw = raw[authority.end() :]
    parts = _TARGET.fullmatch(raw)
    if parts is None:
        return None
    path = parts["path"].decode("ascii")
    rest = ((parts["query"] or b"") + (parts["fragment"] or b"")).decode("ascii")
    return Target(path, path + rest)


def parse_route(verb: str, path: str) -> Route:
    """Parses the path of a call under `/v1/`.

    Args:
        verb: HTTP method.
        path: `Target.full`.

    Raises:
        RouteError: The path is not a call.
    """
    pattern = {"POST": _PREDICTION, "GET": _STATUS}.get(verb)
    match = pattern.fullmatch(path) if pattern else None
    if match is None:
        raise RouteError(f"Malformed request: {verb} {path}")
    name, number, label, word = match.groups()
    model = _decode(name or "")
    version = None if number is None else int(number)
    if version is not None and version > _MAX_VERSION:
        # tensorflow_model_server sends this one error without a body.
        raise RouteError(
            f"Failed to convert version: {number} to numeric.", model, has_empty_body=True
        )
    try:
        action = Action(word) if word else Action.STATUS
    except ValueError:  # a known word in the wrong case
        if verb == "POST":
            raise RouteError(f"Malformed request: {verb} {path}", model) from None
        action = Action.STATUS
    if not model:
        raise RouteError("Missing model name in request.")
    return Route(action, model, version, None if label is None else _decode(label))


def _decode(segment: str) -> str:
    # Model names are UTF-8, so that a replacement character cannot match one by mistake.
    return unquote(segment, errors="replace")
