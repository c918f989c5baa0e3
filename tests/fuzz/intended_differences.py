"""Intended differences between the embedded server and tensorflow_model_server.

They are those of tests/conformance/differences.toml that a generated input can cause, and two that
are not listed there. Each is a predicate on an input and the two replies, in either order.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from fuzz.comparison import rest_error
from fuzz.generators import models
from fuzz.inputs import Call, Conversation, Input, Rest
from fuzz.json_text import Object, Tree, read
from fuzz.replies import GrpcReply, HttpReply, Replies, Reply
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import predict_pb2

SIGNATURE_NAME = re.compile(rb'"signature_name": ?"([\x20-\x7e]*?)"')
ROOT_PATH = re.compile(r"(//[^/]*)?/")
"""The path `/`, also after an authority."""
PARSE_ERROR = "JSON Parse error"
TOO_LARGE = "tensor parsing error"


@dataclass(frozen=True, slots=True)
class IntendedDifference:
    """A kind of difference that is accepted, with the reason."""

    name: str
    reason: str
    applies: Callable[[Input, Reply, Reply], bool]


def parse_error_wording(_: Input, first: Reply, second: Reply) -> bool:
    if not (isinstance(first, HttpReply) and isinstance(second, HttpReply)):
        return False
    errors = (rest_error(first), rest_error(second))
    return first.status == second.status and all(error.startswith(PARSE_ERROR) for error in errors)


def root_page(test_input: Input, *_: Reply) -> bool:
    return isinstance(test_input, Rest) and ROOT_PATH.fullmatch(test_input.path) is not None


def huge_tensor(test_input: Input, first: Reply, second: Reply) -> bool:
    if not isinstance(test_input, Call):
        return False
    sides = [reply for reply in (first, second) if isinstance(reply, GrpcReply)]
    rejected = (side.code == "INVALID_ARGUMENT" and TOO_LARGE in side.message for side in sides)
    allocated = (side.code in ("OK", "RESOURCE_EXHAUSTED", "UNAVAILABLE") for side in sides)
    return any(rejected) and any(allocated)


def parser_tolerance(test_input: Input, first: Reply, second: Reply) -> bool:
    """Applies only to bytes that are not HTTP: one side rejects them, the other waits for more."""
    if not (isinstance(test_input, Conversation) and test_input.noise):
        return False
    return isinstance(first, Replies) and isinstance(second, Replies)


def other_input_named(test_input: Input, first: Reply, second: Reply) -> bool:
    """Applies if both reject the request: which of several inputs they check first is random."""
    match first, second:
        case GrpcReply(), GrpcReply():
            rejected = "OK" not in (first.code, second.code)
        case HttpReply(), HttpReply():
            rejected = 200 not in (first.status, second.status)
        case _:
            return False
    return rejected and input_count(test_input) > 1


def input_count(test_input: Input) -> int:
    """Returns the number of inputs that a request names, or that its signature has."""
    match test_input:
        case Call(method="Predict"):
            try:
                request = predict_pb2.PredictRequest.FromString(test_input.data)
            except DecodeError:
                return 0
            spec = request.model_spec
            signature = models.find(spec.name, spec.signature_name)
            return max(len(request.inputs), len(signature.inputs) if signature else 0)
        case Rest(body=bytes(body)):
            found = SIGNATURE_NAME.search(body)
            name = found[1].decode() if found else None
            sizes = (len(known.inputs) for known in models.signatures() if known.name == name)
            return max(max(sizes, default=0), largest_object(read(body), depth=3))
    return 0


def largest_object(tree: Tree, depth: int) -> int:
    """Returns the number of members of the largest object below the outermost one."""
    if isinstance(tree, Object):
        parts = [value for _, value in tree.members]
        size = len(parts) if depth < 3 else 0
    else:
        parts, size = tree if isinstance(tree, list) else [], 0
    inner = (largest_object(part, depth - 1) for part in parts) if depth else ()
    return max(size, max(inner, default=0))


INTENDED = (
    IntendedDifference(
        "the wording of JSON parse errors",
        "status and prefix are equal; the wording depends on the JSON parser",
        parse_error_wording,
    ),
    IntendedDifference(
        "`/` on the REST port", "a browser should show what the server serves", root_page
    ),
    IntendedDifference(
        "a few bytes that describe a tensor of gigabytes",
        "one client must not take the server down for all",
        huge_tensor,
    ),
    IntendedDifference(
        "which of several wrong inputs an error names",
        "the order of a map's entries is undefined, and differs between two processes",
        other_input_named,
    ),
    IntendedDifference(
        "noise after a request on an HTTP connection",
        "the tolerance of an HTTP parser; no client sends it on purpose",
        parser_tolerance,
    ),
)


def recognize(test_input: Input, first: Reply, second: Reply) -> IntendedDifference | None:
    """Returns the intended difference that explains why two replies differ, if any."""
    matching = (kind for kind in INTENDED if kind.applies(test_input, first, second))
    return next(matching, None)
