"""Invariants of every reply of a single server."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import zip_longest

from conformance.exchange import METHODS
from fuzz import comparison, grpc_echoes, http_rules, rest_echoes
from fuzz.inputs import Call, Conversation, Input, Rest
from fuzz.replies import GrpcReply, HttpReply, NoReply, Replies, Reply
from google.protobuf.message import DecodeError

CODES = {
    "OK", "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED",
}  # fmt: skip
OUT_OF_MEMORY = "OOM when allocating tensor"
"""The start of an error from an operation that needs more memory than available."""
STATUSES = {200, 400, 404, 413, 417, 501}
MAX_MESSAGE = 1024 + len("...TRUNCATED")
"""Characters of a gRPC message (grpc_status_util.cc of tensorflow_serving/model_servers)."""
MAX_ERROR = 2048
"""Bytes of a REST error, in addition to one string that it may repeat completely."""
MAX_ESCAPE = 14
"""Bytes that one byte of a string may take in an error: `\\u0001`, escaped again, doubled."""
BYTES_PER_DIMENSION = 8
"""Allowed bytes for each dimension of a shape in an error."""
BRACKETS = re.compile(rb"[][]")
PYTHON = re.compile(
    r"Traceback|\b[A-Z]\w+(Error|Exception|Warning)\b(?!:? error)|NoneType|<class '|object at 0x"
    r"|\bnumpy\b|dtype\(|<tf\.|codec can't|list index|not subscriptable|has no attribute"
    r"|positional argument|can't convert|cannot convert|invalid literal|could not broadcast"
)
"""Text that occurs only in Python exceptions."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a reply."""

    kind: str
    """Equal for faults of one kind."""
    text: str


def expected_replies(test_input: Input) -> int | None:
    """Returns the number of replies that a conversation must get; None if it is unknown."""
    if not isinstance(test_input, Conversation) or test_input.port == "grpc":
        return None
    return len(http_rules.expected(test_input).statuses)


def check(test_input: Input, reply: Reply) -> list[Fault]:
    """Returns all faults of a reply."""
    match test_input, reply:
        case _, NoReply():
            return [Fault("no reply", reply.reason)]
        case Call(), GrpcReply():
            return check_call(test_input, reply)
        case Rest(), HttpReply():
            return check_rest(test_input, reply)
        case Conversation(), Replies():
            return check_conversation(test_input, reply)
    raise TypeError(f"{type(reply).__name__} cannot be a reply to {type(test_input).__name__}")


def check_call(call: Call, reply: GrpcReply) -> list[Fault]:
    faults = []
    out_of_memory = reply.code == "RESOURCE_EXHAUSTED" and reply.message.startswith(OUT_OF_MEMORY)
    from_grpc = reply.code == "INTERNAL" and not reply.message and is_malformed(call)
    if reply.code not in CODES and not out_of_memory and not from_grpc:
        faults.append(Fault(f"code {reply.code}", reply.message))
    if len(reply.message) > MAX_MESSAGE:
        faults.append(Fault("long error", f"{len(reply.message):,} characters"))
    faults += check_python_text(call.data, reply.message)
    expectation = grpc_echoes.expected(call)
    if expectation is None:
        return faults
    if reply.code == "OK":
        mismatches = grpc_echoes.mismatches(expectation, reply.data)
        return [*faults, *(Fault("changed value", text) for text in mismatches)]
    expected = grpc_echoes.REJECTED if expectation == grpc_echoes.REJECTED else "OK"
    if reply.code != expected:
        faults.append(Fault(f"{reply.code} instead of {expected}", reply.message))
    return faults


def is_malformed(call: Call) -> bool:
    """Returns whether the bytes are not a request, which gRPC itself rejects with INTERNAL."""
    try:
        METHODS[call.method][1].FromString(call.data)
    except DecodeError:
        return True
    return False


def check_rest(request: Rest, reply: HttpReply) -> list[Fault]:
    body = request.body or b""
    faults = check_http(reply, body, allowance=len(request.path) + error_allowance(body))
    expectation = rest_echoes.expected(request)
    if expectation is None:
        return faults
    status = expectation if isinstance(expectation, int) else 200
    if reply.status != status:
        return [*faults, Fault(f"{reply.status} instead of {status}", error_text(reply))]
    if isinstance(expectation, tuple):
        mismatches = rest_echoes.mismatches(expectation, reply.body)
        faults += [Fault("changed value", text) for text in mismatches]
    return faults


def check_http(reply: HttpReply, sent: bytes, allowance: int) -> list[Fault]:
    """Checks what holds for every HTTP response.

    Args:
        reply: The response.
        sent: The request's body.
        allowance: Bytes of an error for the parts of the request that it repeats.
    """
    text = reply.body.decode("utf-8", "surrogateescape")
    faults = []
    if reply.status not in STATUSES:
        faults.append(Fault(f"status {reply.status}", error_text(reply)))
    if reply.status == 200:
        if reply.header("content-type").startswith("application/json") and not is_json(text):
            faults.append(Fault("not JSON", text[:400]))
        return faults
    if len(reply.body) > MAX_ERROR + allowance:
        faults.append(Fault("long error", f"{len(reply.body):,} bytes for {len(sent):,}"))
    return faults + check_python_text(sent, text)


def check_conversation(conversation: Conversation, replies: Replies) -> list[Fault]:
    if conversation.port == "grpc":
        return []
    longest = max((len(part.path) + len(part.body) for part in conversation.messages), default=0)
    allowance = MAX_ESCAPE * (longest + len(conversation.noise))
    faults = [fault for reply in replies.replies for fault in check_http(reply, b"", allowance)]
    expected = http_rules.expected(conversation)
    statuses = replies.statuses
    if replies.rest:
        faults.append(Fault("half a reply", repr(replies.rest[:200])))
    too_many = expected.exact and len(statuses) > len(expected.statuses)
    if statuses[: len(expected.statuses)] != expected.statuses or too_many:
        pairs = zip_longest(statuses, expected.statuses, fillvalue="no reply")
        got, due = next(pair for pair in pairs if pair[0] != pair[1])
        text = f"\nreplies {statuses}, connection {replies.end}; expected: {expected.statuses}"
        return [*faults, Fault(f"{got} instead of {due}", text)]
    for content, reply in zip(expected.contents, replies.replies, strict=False):
        if content not in reply.body:
            text = f"{reply.body[:200]!r} for {content!r}"
            faults.append(Fault("another request's reply", text))
    return faults


def check_python_text(sent: bytes, text: str) -> list[Fault]:
    """Reports Python's text in an error, unless it was in the request."""
    found = PYTHON.search(text)
    if found is None or found[0].encode("utf-8", "surrogateescape") in sent:
        return []
    return [Fault("Python in an error", text[:400])]


def error_text(reply: HttpReply) -> str:
    return comparison.rest_error(reply) or reply.body[:400].decode("utf-8", "replace")


def is_json(text: str) -> bool:
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True


def error_allowance(body: bytes) -> int:
    """Returns the bytes by which an error may grow to quote a body's longest string and shape."""
    depth = deepest = 0
    for bracket in BRACKETS.findall(body):
        depth += 1 if bracket == b"[" else -1
        deepest = max(depth, deepest)
    return MAX_ESCAPE * longest_string(body) + BYTES_PER_DIMENSION * deepest


def longest_string(body: bytes) -> int:
    """Returns the length of the longest string, or of the longest part if quotes do not match."""
    parts = body.replace(b'\\"', b"__").split(b'"')
    return max(map(len, parts[1::2] if len(parts) % 2 else parts), default=0)
