"""Whether two servers answered alike. Pure: two replies in, sentences out.

The order of keys in JSON may differ, as it does from call to call on the real server, and so may
the node that an op's error names, because the runtime makes up such names.
"""

from __future__ import annotations

import json
import re
from typing import Any

from conformance import exchange
from conformance.comparison import NODE_TAIL
from fuzz.inputs import Call, Input
from fuzz.json_text import Pairs, Raw, read
from fuzz.replies import GrpcReply, HttpReply, Replies, Reply
from google.protobuf.message import DecodeError

DEBUG_MARK = re.compile(r"goo\.gle/debug\w+ *")
"""Before a protobuf message in an error: protobuf picks another one in each process."""
COMPARED_HEADERS = ("content-type", "content-length", "connection")


def differences(question: Input, first: Reply, second: Reply) -> list[str]:
    """A sentence for each thing in which the second reply is not like the first."""
    match first, second:
        case GrpcReply(), GrpcReply():
            pairs = [("code", first.code, second.code)]
            pairs += [("message", plain(first.message), plain(second.message))]
            assert isinstance(question, Call)
            pairs += [("response", *(fields(question, one) for one in (first, second)))]
        case HttpReply(), HttpReply():
            pairs = http(first, second)
        case Replies(), Replies():
            pairs = [("statuses", statuses(first), statuses(second))]
            pairs += [("connection", first.end, second.end)]
            for number, both in enumerate(zip(first.replies, second.replies, strict=False)):
                pairs += [(f"reply {number}: {name}", a, b) for name, a, b in http(*both)]
            pairs += [("the rest", first.rest, second.rest)]
        case _:
            pairs = [("reply", first, second)]
    return [f"{name}: {short(a)} and {short(b)}" for name, a, b in pairs if a != b]


def http(first: HttpReply, second: HttpReply) -> list[tuple[str, Any, Any]]:
    found = [("status", first.status, second.status), ("version", first.version, second.version)]
    found += [(name, first.header(name), second.header(name)) for name in COMPARED_HEADERS]
    bodies = [body(one) for one in (first, second)]
    return [*found, ("body", *bodies)]


def statuses(replies: Replies) -> list[int]:
    return [one.status for one in replies.replies]


def fields(question: Call, reply: GrpcReply) -> Any:
    """A response in which maps have one order."""
    if reply.code != "OK":
        return None
    if question.method == "GetModelMetadata":  # has maps within packed bytes
        return exchange.response(question.method, reply.data)
    try:
        message = exchange.METHODS[question.method][2].FromString(reply.data)
    except DecodeError:  # a label that is not UTF-8, which the server sends as it is
        return reply.data
    return message.SerializeToString(deterministic=True)


def body(reply: HttpReply) -> Any:
    """A body: JSON with sorted keys and digits as they are written, other text as it is."""
    tree = read(reply.body)
    if tree is None:
        return plain(reply.body.decode("utf-8", "surrogateescape"))
    return ordered(tree)


def ordered(tree: Any) -> Any:
    match tree:
        case Pairs():
            return sorted((key, ordered(value)) for key, value in tree.items)
        case Raw():
            return plain(tree.text.decode("utf-8", "surrogateescape"))
        case list():
            return [ordered(one) for one in tree]
    return tree


def plain(text: str) -> str:
    """A message without what changes from call to call."""
    return DEBUG_MARK.sub("", NODE_TAIL.sub("", text))


def short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 500 else f"{text[:500]}..."


def error(reply: Reply) -> str:
    """The error that a REST reply holds; empty if there is none."""
    if not isinstance(reply, HttpReply):
        return ""
    try:
        found = json.loads(reply.body.decode("utf-8", "surrogateescape"), strict=False)
    except (ValueError, RecursionError):
        return ""
    return str(found.get("error", "")) if isinstance(found, dict) else ""
