"""What a verb and a raw request target ask for, by the rules of TensorFlow Serving's REST API.

Words of a path match without regard to case, but for the last one: `:Predict` is malformed, and
`/METADATA` is answered with the status. A query string is no query: it belongs to the path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from tensorflow_serving.apis import model_pb2

from seq2sum_serving.embedded.errors import Code, ServingError

VERBS = frozenset({"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"})
"""What the HTTP layer takes at all; any other verb is 501."""

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
_LARGEST_VERSION = 2**63 - 1


class Action(Enum):
    """What is asked of a model; the values are the words in the path."""

    PREDICT = "predict"
    CLASSIFY = "classify"
    REGRESS = "regress"
    METADATA = "metadata"
    STATUS = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A request target that is well formed."""

    path: str
    """Up to the query, not decoded."""
    full: str
    """The same with query and fragment."""

    @property
    def is_api(self) -> bool:
        """Whether it lies under `/v1/`."""
        return _API.fullmatch(self.full) is not None


@dataclass(frozen=True, slots=True)
class Route:
    """A call of the REST API."""

    action: Action
    """What to do."""
    model: str
    """Model name, decoded."""
    version: int | None = None
    """Version number, if the path has one."""
    label: str | None = None
    """Version label, decoded, if the path has one."""

    def spec(self) -> model_pb2.ModelSpec:
        """The same as a message."""
        spec = model_pb2.ModelSpec(name=self.model)
        if self.version is not None:
            spec.version.value = self.version
        if self.label is not None:
            spec.version_label = self.label
        return spec


class NoRoute(ServingError):
    """A path under `/v1/` that asks for nothing; `model` is what it named."""

    def __init__(self, message: str, model: str = "", *, silent: bool = False) -> None:
        super().__init__(Code.INVALID_ARGUMENT, message)
        self.model = model
        self.silent = silent
        """Answered without a body."""


def target(raw: bytes) -> Target | None:
    """Splits a request target; None for one that is no URI."""
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


def route(verb: str, path: str) -> Route:
    """What a call under `/v1/` asks for.

    Args:
        verb: HTTP method.
        path: `Target.full`.

    Raises:
        NoRoute: Nothing that there is.
    """
    pattern = {"POST": _PREDICTION, "GET": _STATUS}.get(verb)
    match = pattern.fullmatch(path) if pattern else None
    if match is None:
        raise NoRoute(f"Malformed request: {verb} {path}")
    name, number, label, word = match.groups()
    model = _decoded(name or "")
    version = None if number is None else int(number)
    if version is not None and version > _LARGEST_VERSION:
        # The real server loses the body of this one error.
        raise NoRoute(f"Failed to convert version: {number} to numeric.", model, silent=True)
    try:
        action = Action(word) if word else Action.STATUS
    except ValueError:  # the right word in the wrong case
        if verb == "POST":
            raise NoRoute(f"Malformed request: {verb} {path}", model) from None
        action = Action.STATUS
    if not model:
        raise NoRoute("Missing model name in request.")
    return Route(action, model, version, None if label is None else _decoded(label))


def _decoded(segment: str) -> str:
    # Not UTF-8 after decoding: no model can have that name, so any text that is none will do.
    return unquote(segment, errors="replace")
