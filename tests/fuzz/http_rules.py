"""The replies that a conversation must get, as libevent's HTTP server gives them.

Each rule is a recorded case of the groups `http`, `http-half-closed` and `gzip`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fuzz import sending
from fuzz.inputs import Conversation, Message

UNKNOWN_VERBS = {b"FOO": 501, b"get": 501}
REJECTED_VERBS = {b"PUT": 400, b"DELETE": 400, b"PATCH": 400, b"OPTIONS": 400}
GET_STATUSES = {b"/v1/models/solo": 200, b"/v1/models/nothere": 404}
VALUE = re.compile(rb"\d+\.\d+")


@dataclass(frozen=True, slots=True)
class ExpectedReplies:
    """The replies to a conversation, in order."""

    statuses: tuple[int, ...]
    contents: tuple[bytes, ...]
    """Text that the body of each reply contains."""
    exact: bool
    """Whether further replies are an error."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The reply to one message."""

    status: int | None
    """None if it is unknown."""
    content: bytes = b""
    ends: bool = False
    """Whether the server closes the connection, or misreads the following messages."""


def expected(conversation: Conversation) -> ExpectedReplies:
    """Returns the replies to the messages that are sent completely."""
    statuses, contents, sent = [], [], 0
    limit = len(sending.wire(Conversation(conversation.messages, conversation.cut)))
    for message in conversation.messages:
        sent += len(sending.message_bytes(message))
        outcome = _outcome(message)
        if sent > limit:
            exact = not conversation.noise and outcome.status == 200
            return ExpectedReplies(tuple(statuses), tuple(contents), exact)
        if outcome.status is None:
            return ExpectedReplies(tuple(statuses), tuple(contents), exact=False)
        statuses.append(outcome.status)
        contents.append(outcome.content)
        if outcome.ends:
            return ExpectedReplies(
                tuple(statuses), tuple(contents), exact=message.framing != "none"
            )
    return ExpectedReplies(tuple(statuses), tuple(contents), exact=not conversation.noise)


def _outcome(message: Message) -> _Outcome:
    if message.version not in (b"HTTP/1.0", b"HTTP/1.1"):
        return _Outcome(None if message.verb in UNKNOWN_VERBS else 400, ends=True)
    if message.verb in UNKNOWN_VERBS:
        return _Outcome(UNKNOWN_VERBS[message.verb], ends=True)
    old = message.version == b"HTTP/1.0"
    closes = old or (b"Connection: ", b"close") in message.headers
    if message.verb in REJECTED_VERBS:
        return _Outcome(REJECTED_VERBS[message.verb], ends=closes)
    if message.verb == b"GET":
        return _Outcome(GET_STATUSES[message.path], ends=closes)
    match message.framing:
        case "none":  # the server reads the body as the next request
            return _Outcome(400, ends=True)
        case "length and chunked":
            return _Outcome(400, ends=True)
        case "chunked" if old:
            return _Outcome(None)
        case "gzip and more":
            return _Outcome(400, ends=closes)
    value = VALUE.search(message.body)
    if value is None:
        return _Outcome(400, ends=closes)
    return _Outcome(200, value[0], ends=closes)
