"""Intended differences between the embedded server and tensorflow_model_server.

They are the decisions of tests/conformance/differences.toml, recognized by kind in any input; which
of the two servers shows which side does not matter here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from fuzz import comparison
from fuzz.generators import models
from fuzz.inputs import Call, Conversation, Input, Rest
from fuzz.json_text import Pairs, Tree, read
from fuzz.replies import GrpcReply, HttpReply, Replies, Reply
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import predict_pb2

SIGNATURE_NAME = re.compile(rb'"signature_name": ?"([\x20-\x7e]*?)"')
FRONT_PAGE = re.compile(r"(//[^/]*)?/")
"""The path `/`, also behind an authority."""
PARSE_ERROR = "JSON Parse error"
GIGABYTES = "tensor parsing error"


@dataclass(frozen=True, slots=True)
class Intended:
    """A kind of difference that is a decision."""

    name: str
    because: str
    applies: Callable[[Input, Reply, Reply], bool]


def wording(_: Input, first: Reply, second: Reply) -> bool:
    alike = isinstance(first, HttpReply) and isinstance(second, HttpReply)
    errors = [comparison.error(one) for one in (first, second)]
    same_status = alike and first.status == second.status
    return same_status and all(one.startswith(PARSE_ERROR) for one in errors)


def front_page(question: Input, *_: Reply) -> bool:
    return isinstance(question, Rest) and FRONT_PAGE.fullmatch(question.path) is not None


def gigabytes(question: Input, first: Reply, second: Reply) -> bool:
    if not isinstance(question, Call):
        return False
    sides = [one for one in (first, second) if isinstance(one, GrpcReply)]
    return any(one.code == "INVALID_ARGUMENT" and GIGABYTES in one.message for one in sides) and (
        any(one.code in ("OK", "RESOURCE_EXHAUSTED", "UNAVAILABLE") for one in sides)
    )


def parser_tolerance(question: Input, first: Reply, second: Reply) -> bool:
    """Only for bytes that are no HTTP: one side refuses with 400, the other goes on listening."""
    if not (isinstance(question, Conversation) and question.noise):
        return False
    return isinstance(first, Replies) and isinstance(second, Replies)


def other_input_named(question: Input, first: Reply, second: Reply) -> bool:
    """Both refuse; which of several inputs they look at first is chance."""
    match first, second:
        case GrpcReply(), GrpcReply():
            refused = "OK" not in (first.code, second.code)
        case HttpReply(), HttpReply():
            refused = 200 not in (first.status, second.status)
        case _:
            return False
    return refused and inputs(question) > 1


def inputs(question: Input) -> int:
    """How many inputs a request names, or its signature has."""
    match question:
        case Call(method="Predict"):
            try:
                request = predict_pb2.PredictRequest.FromString(question.data)
            except DecodeError:
                return 0
            spec = request.model_spec
            signature = models.named(spec.name, spec.signature_name)
            return max(len(request.inputs), len(signature.inputs) if signature else 0)
        case Rest(body=bytes()):
            named = SIGNATURE_NAME.search(question.body)
            known = (one for one in models.signatures() if named and one.name == named[1].decode())
            wanted = max((len(one.inputs) for one in known), default=0)
            return max(wanted, most_pairs(read(question.body), depth=3))
    return 0


def most_pairs(tree: Tree, depth: int) -> int:
    """Members of the largest object below the outermost one."""
    if isinstance(tree, Pairs):
        parts = [value for _, value in tree.items]
        own = len(parts) if depth < 3 else 0
    else:
        parts, own = tree if isinstance(tree, list) else [], 0
    inner = (most_pairs(part, depth - 1) for part in parts) if depth else ()
    return max(own, max(inner, default=0))


INTENDED = (
    Intended(
        "the wording of JSON parse errors",
        "status and prefix stay; the words belong to one JSON parser",
        wording,
    ),
    Intended(
        "`/` of the REST port",
        "a person who looks at a server should see what it serves",
        front_page,
    ),
    Intended(
        "a request for a tensor of gigabytes in a few bytes",
        "one caller must not end the process for all of them",
        gigabytes,
    ),
    Intended(
        "which of several wrong inputs an error names",
        "the order of a map's entries is not defined, and differs between two processes",
        other_input_named,
    ),
    Intended(
        "noise after a request on an HTTP connection",
        "the tolerance of one HTTP parser; nobody sends it on purpose",
        parser_tolerance,
    ),
)


def recognized(question: Input, first: Reply, second: Reply) -> Intended | None:
    """The decision that explains why two replies differ, if one does."""
    return next((one for one in INTENDED if one.applies(question, first, second)), None)
