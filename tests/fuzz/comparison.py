"""Compares the replies of two servers. Pure: two replies in, differences as text out.

Tolerated, because it also varies from call to call on one server: the order of keys in JSON, and
the node in an op's error, whose name the runtime generates.
"""

from __future__ import annotations

import json
import re
from typing import Any

from conformance import exchange
from conformance.comparison import NODE_TAIL
from fuzz.inputs import Call, Input
from fuzz.json_text import Object, Token, read
from fuzz.replies import GrpcReply, HttpReply, Replies, Reply, shorten
from google.protobuf.message import DecodeError

DEBUG_MARK = re.compile(r"goo\.gle/debug\w+ *")
"""Precedes a protobuf message in an error; protobuf picks it at random in each process."""
COMPARED_HEADERS = ("content-type", "content-length", "connection")
MAX_SHOWN = 500


def differences(test_input: Input, first: Reply, second: Reply) -> list[str]:
    """Returns a text for each part in which two replies differ."""
    match first, second:
        case GrpcReply(), GrpcReply():
            assert isinstance(test_input, Call)
            parts = [
                ("code", first.code, second.code),
                ("message", plain(first.message), plain(second.message)),
                ("response", response(test_input, first), response(test_input, second)),
            ]
        case HttpReply(), HttpReply():
            parts = http_parts(first, second)
        case Replies(), Replies():
            parts = [
                ("statuses", first.statuses, second.statuses),
                ("connection", first.end, second.end),
                ("the rest", first.rest, second.rest),
            ]
            for number, pair in enumerate(zip(first.replies, second.replies, strict=False)):
                parts += [(f"reply {number}: {name}", a, b) for name, a, b in http_parts(*pair)]
        case _:
            parts = [("reply", first, second)]
    return [
        f"{name}: {shorten(str(a), MAX_SHOWN)} and {shorten(str(b), MAX_SHOWN)}"
        for name, a, b in parts
        if a != b
    ]


def http_parts(first: HttpReply, second: HttpReply) -> list[tuple[str, Any, Any]]:
    return [
        ("status", first.status, second.status),
        ("version", first.version, second.version),
        *((name, first.header(name), second.header(name)) for name in COMPARED_HEADERS),
        ("body", canonical_body(first), canonical_body(second)),
    ]


def response(call: Call, reply: GrpcReply) -> Any:
    """Returns a response with maps in a fixed order."""
    if reply.code != "OK":
        return None
    if call.method == "GetModelMetadata":  # has maps within packed bytes
        return exchange.response(call.method, reply.data)
    try:
        message = exchange.METHODS[call.method][2].FromString(reply.data)
    except DecodeError:  # a label that is not UTF-8, which the server sends unchanged
        return reply.data
    return message.SerializeToString(deterministic=True)


def canonical_body(reply: HttpReply) -> Any:
    """Returns JSON with sorted keys and digits as written, or other text unchanged."""
    tree = read(reply.body)
    if tree is None:
        return plain(reply.body.decode("utf-8", "surrogateescape"))
    return ordered(tree)


def ordered(tree: Any) -> Any:
    match tree:
        case Object():
            return sorted((key, ordered(value)) for key, value in tree.members)
        case Token():
            return plain(tree.text.decode("utf-8", "surrogateescape"))
        case list():
            return [ordered(element) for element in tree]
    return tree


def plain(text: str) -> str:
    """Removes what varies from call to call."""
    return DEBUG_MARK.sub("", NODE_TAIL.sub("", text))


def rest_error(reply: Reply) -> str:
    """Returns the error in a REST reply; empty if it has none."""
    if not isinstance(reply, HttpReply):
        return ""
    try:
        body = json.loads(reply.body.decode("utf-8", "surrogateescape"), strict=False)
    except (ValueError, RecursionError):
        return ""
    return str(body.get("error", "")) if isinstance(body, dict) else ""
