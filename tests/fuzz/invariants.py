"""What every answer of a single server must keep to, whatever it was asked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import zip_longest

from conformance.exchange import METHODS
from fuzz import comparison, echoes, http_rules, rest_echoes
from fuzz.inputs import Call, Conversation, Input, Rest
from fuzz.replies import GrpcReply, HttpReply, NoReply, Replies, Reply
from google.protobuf.message import DecodeError

CODES = {
    "OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED",
}  # fmt: skip
OUT_OF_MEMORY = "OOM when allocating tensor"
"""What an operation says that would need more memory than there is."""
STATUSES = {200, 400, 404, 413, 417, 501}
LONGEST_MESSAGE = 1024 + len("...TRUNCATED")
"""Characters of a gRPC message (grpc_status_util.cc of tensorflow_serving/model_servers)."""
LONGEST_ERROR = 2048
"""Bytes of a REST error, besides the one string that may come whole at its end."""
ESCAPED = 14
"""Most bytes that one byte of a string takes in an error: `\\u0001`, escaped once more, doubled."""
BYTES_OF_A_SIZE = 8
"""In a shape, as an error names it."""
BRACKETS = re.compile(rb"[][]")
PYTHON = re.compile(
    r"Traceback|\b[A-Z]\w+(Error|Exception|Warning)\b(?!:? error)|NoneType|<class '|object at 0x"
    r"|\bnumpy\b|dtype\(|<tf\.|codec can't|list index|not subscriptable|has no attribute"
    r"|positional argument|can't convert|cannot convert|invalid literal|could not broadcast"
)
"""What only an exception of Python says."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong with an answer."""

    kind: str
    """The same for everything that is wrong in the same way."""
    text: str


def due(question: Input) -> int | None:
    """Replies that a conversation must get; None: not known."""
    if not isinstance(question, Conversation) or question.port == "grpc":
        return None
    return len(http_rules.due(question).statuses)


def judge(question: Input, reply: Reply) -> list[Fault]:
    """Everything that is wrong with an answer."""
    match question, reply:
        case _, NoReply():
            return [Fault("no reply", reply.reason)]
        case Call(), GrpcReply():
            return of_call(question, reply)
        case Rest(), HttpReply():
            return of_rest(question, reply)
        case Conversation(), Replies():
            return of_conversation(question, reply)
    raise TypeError(f"{type(reply).__name__} is no reply to {type(question).__name__}")


def of_call(question: Call, reply: GrpcReply) -> list[Fault]:
    faults = []
    out_of_memory = reply.code == "RESOURCE_EXHAUSTED" and reply.message.startswith(OUT_OF_MEMORY)
    expected_internal = reply.code == "INTERNAL" and not reply.message and unreadable(question)
    if reply.code not in CODES and not out_of_memory and not expected_internal:
        faults.append(Fault(f"code {reply.code}", reply.message))
    if len(reply.message) > LONGEST_MESSAGE:
        faults.append(Fault("long error", f"{len(reply.message):,} characters"))
    faults += python_text(question.data, reply.message)
    expectation = echoes.expected(question)
    if expectation is None:
        return faults
    if reply.code == "OK":
        found = echoes.departures(expectation, reply.data)
        return [*faults, *(Fault("changed value", one) for one in found)]
    if reply.code != (echoes.REFUSED if expectation == echoes.REFUSED else "OK"):
        wanted = expectation if expectation == echoes.REFUSED else "OK"
        faults.append(Fault(f"{reply.code} instead of {wanted}", reply.message))
    return faults


def unreadable(question: Call) -> bool:
    """Whether the bytes are not a request: gRPC's own INTERNAL is right then."""
    try:
        METHODS[question.method][1].FromString(question.data)
    except DecodeError:
        return True
    return False


def of_rest(question: Rest, reply: HttpReply) -> list[Fault]:
    body = question.body or b""
    faults = of_http(reply, body, room=len(question.path) + room_of(body))
    expectation = rest_echoes.expected(question)
    if expectation is None:
        return faults
    wanted = expectation if isinstance(expectation, int) else 200
    if reply.status != wanted:
        fault = Fault(f"{reply.status} instead of {wanted}", error_text(reply))
        return [*faults, fault]
    if isinstance(expectation, tuple):
        found = rest_echoes.departures(expectation, reply.body)
        faults += [Fault("changed value", one) for one in found]
    return faults


def of_http(reply: HttpReply, sent: bytes, room: int) -> list[Fault]:
    """What holds for every HTTP response; `room` is the error's, for what it repeats."""
    text = reply.body.decode("utf-8", "surrogateescape")
    faults = []
    if reply.status not in STATUSES:
        faults.append(Fault(f"status {reply.status}", error_text(reply)))
    if reply.status == 200:
        if reply.header("content-type").startswith("application/json") and not is_json(text):
            faults.append(Fault("not JSON", text[:400]))
        return faults
    if len(reply.body) > LONGEST_ERROR + room:
        faults.append(Fault("long error", f"{len(reply.body):,} bytes for {len(sent):,}"))
    return faults + python_text(sent, text)


def of_conversation(question: Conversation, reply: Replies) -> list[Fault]:
    if question.port == "grpc":
        return []
    longest = max((len(part.path) + len(part.body) for part in question.messages), default=0)
    room = ESCAPED * (longest + len(question.noise))
    faults = [fault for one in reply.replies for fault in of_http(one, b"", room)]
    due = http_rules.due(question)
    seen = tuple(one.status for one in reply.replies)
    if reply.rest:
        faults.append(Fault("half a reply", repr(reply.rest[:200])))
    if seen[: len(due.statuses)] != due.statuses or (due.exact and len(seen) > len(due.statuses)):
        both = zip_longest(seen, due.statuses, fillvalue="no reply")
        got, wanted = next(pair for pair in both if pair[0] != pair[1])
        what = f"\nreplies {seen}, connection {reply.end}; due: {due.statuses}"
        return [*faults, Fault(f"{got} instead of {wanted}", what)]
    for content, one in zip(due.contents, reply.replies, strict=False):
        if content not in one.body:
            faults.append(Fault("another request's reply", f"{one.body[:200]!r} for {content!r}"))
    return faults


def python_text(sent: bytes, text: str) -> list[Fault]:
    """What Python said, unless the caller said it first."""
    found = PYTHON.search(text)
    if found is None or found[0].encode("utf-8", "surrogateescape") in sent:
        return []
    return [Fault("Python in an error", text[:400])]


def error_text(reply: HttpReply) -> str:
    return comparison.error(reply) or reply.body[:400].decode("utf-8", "replace")


def is_json(text: str) -> bool:
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def room_of(body: bytes) -> int:
    """Bytes of an error that a body may ask for: its longest string, and the shape of its lists."""
    depth = deepest = 0
    for bracket in BRACKETS.findall(body):
        depth += 1 if bracket == b"[" else -1
        deepest = max(depth, deepest)
    return ESCAPED * longest_string(body) + BYTES_OF_A_SIZE * deepest


def longest_string(body: bytes) -> int:
    """Bytes between two quotes at most, or of everything if they do not pair up."""
    parts = body.replace(b'\\"', b"__").split(b'"')
    return max(map(len, parts[1::2] if len(parts) % 2 else parts), default=0)
