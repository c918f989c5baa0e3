"""Which replies a conversation must get, as libevent's HTTP server gives them.

Each rule is a recorded case of the groups `http`, `http-half-closed` and `gzip`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fuzz import sending
from fuzz.inputs import Conversation, Message

NOT_KNOWN = {b"FOO": 501, b"get": 501}
REFUSED = {b"PUT": 400, b"DELETE": 400, b"PATCH": 400, b"OPTIONS": 400}
FOUND = {b"/v1/models/solo": 200, b"/v1/models/nothere": 404}
VALUE = re.compile(rb"\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Due:
    """The replies that must come, in order."""

    statuses: tuple[int, ...]
    contents: tuple[bytes, ...]
    """What the body of each reply contains."""
    exact: bool
    """Whether no further reply may follow."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What one message leads to."""

    status: int | None
    """None if that is not known."""
    content: bytes = b""
    ends: bool = False
    """Whether the server closes the connection, or takes what follows for something else."""


def due(conversation: Conversation) -> Due:
    """The replies to the messages that are sent in whole."""
    statuses, contents, sent = [], [], 0
    limit = len(sending.wire(Conversation(conversation.messages, conversation.cut)))
    for message in conversation.messages:
        sent += len(sending.message_bytes(message))
        step = _step(message)
        if sent > limit:
            exact = not conversation.noise and step.status == 200
            return Due(tuple(statuses), tuple(contents), exact)
        if step.status is None:
            return Due(tuple(statuses), tuple(contents), exact=False)
        statuses.append(step.status)
        contents.append(step.content)
        if step.ends:
            return Due(tuple(statuses), tuple(contents), exact=message.framing != "none")
    return Due(tuple(statuses), tuple(contents), exact=not conversation.noise)


def _step(message: Message) -> _Step:
    if message.version not in (b"HTTP/1.0", b"HTTP/1.1"):
        return _Step(None if message.verb in NOT_KNOWN else 400, ends=True)
    if message.verb in NOT_KNOWN:
        return _Step(NOT_KNOWN[message.verb], ends=True)
    old = message.version == b"HTTP/1.0"
    closes = old or (b"Connection: ", b"close") in message.headers
    if message.verb in REFUSED:
        return _Step(REFUSED[message.verb], ends=closes)
    if message.verb == b"GET":
        return _Step(FOUND[message.path], ends=closes)
    match message.framing:
        case "none":  # the body is taken for the next request
            return _Step(400, ends=True)
        case "length and chunked":
            return _Step(400, ends=True)
        case "chunked" if old:
            return _Step(None)
        case "gzip and more":
            return _Step(400, ends=closes)
    value = VALUE.search(message.body)
    if value is None:
        return _Step(400, ends=closes)
    return _Step(200, value[0], ends=closes)
