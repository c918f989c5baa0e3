"""HTTP conversations: complete, truncated, pipelined, compressed, chunked, and random bytes."""

from __future__ import annotations

from dataclasses import replace

from fuzz.generators.seeded_random import SeededRandom
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
"""How the body is sent. The last three are invalid; "gzip and more" has bytes after the end."""


def conversation(rng: SeededRandom) -> Conversation:
    """Makes the requests on one connection."""
    messages = tuple(message(rng) for _ in range(rng.choice((1, 1, 1, 2, 3))))
    last = messages[-1]
    if rng.one_in(2):
        headers = (*last.headers, (b"Connection: ", b"close"))
        messages = (*messages[:-1], replace(last, headers=headers))
    return Conversation(
        messages=messages,
        cut=rng.randint(0, 300) if rng.one_in(8) else None,
        noise=rng.randbytes(rng.choice((3, 60, 5000))) if rng.one_in(12) else b"",
        piece=rng.choice((1, 7, 50)) if rng.one_in(10) else 0,
        half_close=len(messages) == 1 and rng.one_in(3),
    )


def grpc_noise(rng: SeededRandom) -> Conversation:
    """Makes bytes for the gRPC port that are not HTTP/2, or only start like it."""
    starts = (b"", PREFACE[:10], PREFACE, PREFACE + SETTINGS, b"GET / HTTP/1.1\r\n\r\n")
    noise = rng.choice(starts) + rng.randbytes(rng.choice((0, 9, 200, 20_000)))
    return Conversation((), noise=noise, half_close=True, port="grpc")


def message(rng: SeededRandom) -> Message:
    """Makes a request with an unusual spelling."""
    value = b"%d.5" % rng.randrange(10_000)
    headers = rng.choice((((b"Host: ", b"x"),), (), *((header,) for header in GOOD_HEADERS)))
    if rng.one_in(4):
        headers = (*headers, rng.choice(GOOD_HEADERS))
    match rng.randrange(12):
        case 0:
            verb, path, body = b"GET", b"/v1/models/solo", b""
        case 1:
            verb, path, body = b"GET", b"/v1/models/nothere", b""
        case 2:
            verb, path, body = b"POST", PREDICT, b'{"instances":['
        case 3:
            verb = rng.choice((b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"FOO", b"get"))
            path, body = b"/v1/models/solo", b""
        case _:
            verb, path, body = b"POST", PREDICT, b'{"instances":[' + value + b"]}"
    return Message(
        verb,
        path,
        body,
        rng.choice(("length",) * 8 + FRAMINGS) if body else "none",
        rng.choice((b"HTTP/1.1",) * 9 + (b"HTTP/1.0", b"HTTP/1.0", b"HTTP/2.0")),
        headers,
        rng.choice((b"\r\n",) * 9 + (b"\n",)),
    )
