"""HTTP conversations: whole, cut, pipelined, compressed, chunked, and noise."""

from __future__ import annotations

from fuzz.generators.chance import Chance
from fuzz.inputs import Conversation, Message

PREDICT = b"/v1/models/odd:predict"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
GOOD_HEADERS = (
    (b"Host: ", b"x"),
    (b"Host:", b"x"),
    (b"hOST: ", b"x"),
    (b"Host : ", b"x"),
    (b"Accept-Encoding: ", b"gzip, deflate, br"),
    (b"X-A: ", b"a\x01b"),
    (b"X-A: ", b"\xe9\xff"),
    (b"X-A: ", b"1\r\n 2"),
    (b"Cookie: ", b"a" * 20_000),
    (b"Range: ", b"bytes=0-3"),
    (b"Content-Type: ", b"text/plain"),
)
FRAMINGS = ("length", "chunked", "gzip", "gzip and more", "length and chunked", "none")
"""How the body is sent. All but the last two are right; "gzip and more" has bytes after the end."""


def conversations(chance: Chance) -> Conversation:
    """One connection."""
    messages = tuple(message(chance) for _ in range(chance.choice((1, 1, 1, 2, 3))))
    last = messages[-1]
    if chance.one_in(2):
        messages = (*messages[:-1], with_header(last, (b"Connection: ", b"close")))
    return Conversation(
        messages=messages,
        cut=chance.randint(0, 300) if chance.one_in(8) else None,
        noise=chance.randbytes(chance.choice((3, 60, 5000))) if chance.one_in(12) else b"",
        piece=chance.choice((1, 7, 50)) if chance.one_in(10) else 0,
        half_close=len(messages) == 1 and chance.one_in(3),
    )


def grpc_noise(chance: Chance) -> Conversation:
    """Bytes on the gRPC port that are no HTTP/2, or only begin as it."""
    starts = (b"", PREFACE[:10], PREFACE, PREFACE + SETTINGS, b"GET / HTTP/1.1\r\n\r\n")
    noise = chance.choice(starts) + chance.randbytes(chance.choice((0, 9, 200, 20_000)))
    return Conversation((), noise=noise, half_close=True, port="grpc")


def message(chance: Chance) -> Message:
    """A request with something unusual in how it is written."""
    value = b"%d.5" % chance.randrange(10_000)
    headers = chance.choice((((b"Host: ", b"x"),), (), *((one,) for one in GOOD_HEADERS)))
    if chance.one_in(4):
        headers = (*headers, chance.choice(GOOD_HEADERS))
    shown = Message(b"POST", PREDICT, b'{"instances":[' + value + b"]}", headers=headers)
    match chance.randrange(12):
        case 0:
            shown = Message(b"GET", b"/v1/models/solo", headers=headers)
        case 1:
            shown = Message(b"GET", b"/v1/models/nothere", headers=headers)
        case 2:
            shown = Message(b"POST", PREDICT, b'{"instances":[', headers=headers)
        case 3:
            shown = Message(
                chance.choice((b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"FOO", b"get")),
                b"/v1/models/solo",
                headers=headers,
            )
    return Message(
        shown.verb,
        shown.path,
        shown.body,
        chance.choice(("length",) * 8 + FRAMINGS) if shown.body else "none",
        chance.choice((b"HTTP/1.1",) * 9 + (b"HTTP/1.0", b"HTTP/1.0", b"HTTP/2.0")),
        headers,
        chance.choice((b"\r\n",) * 9 + (b"\n",)),
    )


def with_header(message: Message, header: tuple[bytes, bytes]) -> Message:
    return Message(
        message.verb,
        message.path,
        message.body,
        message.framing,
        message.version,
        (*message.headers, header),
        message.line_end,
    )
