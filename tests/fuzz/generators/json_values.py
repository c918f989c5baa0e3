"""Random JSON values for signature inputs, in valid and invalid notations."""

from __future__ import annotations

import base64
import json

from fuzz.generators.seeded_random import SeededRandom
from fuzz.json_text import Object, Token, Tree
from tensorflow.core.framework import types_pb2

WHOLE_NUMBERS = (
    "0", "1", "-1", "127", "128", "255", "256", "300", "-128", "-129", "16777216", "16777217",
    "1700000001", "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295",
    "4294967296", "9007199254740992", "9007199254740993", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
    "18446744073709551615", "18446744073709551616", "123456789012345678901234567890",
)  # fmt: skip
DECIMALS = (
    "0.0", "-0.0", "1.0", "1.5", "0.1", "-2.5e-3", "1e5", "1E+5", "3.4028234663852886e38",
    "3.4028235e38", "3.4028236e38", "1e39", "-1e39", "1e-45", "1e-46", "1.17549e-38", "1e308",
    "-1e308", "1.7976931348623157e308", "5e-324", "2.4703e-324", "1e-400", "0.30000000000000004",
    "123456789.123456789", "1.0000000596046448", "9007199254740993.0",
)  # fmt: skip
NOT_FINITE = ("NaN", "Infinity", "-Infinity")
ODD_NUMBERS = (
    "-0", "1e309", "-1e400", "01", "+1", "1.", ".5", "1e", "0x10", "1_000", "nan", "Inf", "-NaN",
    "1e-99999999999", "1e99999999999", "--1", "1.5.2", "1,5",
)  # fmt: skip
ODD_STRINGS = (
    r'"\ud83d\ude00"', r'"\ud83d"', r'"\ude00"', r'"\u0000"', r'"a\u0000"', r'"\u0061\/"', r'"\q"',
    r'"\u12"', "'a'", '"a', '"\x01"', '"\t"', r'"\ud83dx"', r'"\uD800\uDC00\uffff"',
)  # fmt: skip
FLOATS = {types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE, types_pb2.DT_HALF, types_pb2.DT_BFLOAT16}
MANY = 100_000
DEPTHS = (2, 3, 20, 150, 900, 1100, 5000)


def scalar(rng: SeededRandom, dtype: int) -> Tree:
    """Makes a value for one element; rarely, it has another type or is malformed."""
    if rng.one_in(60):
        return rng.choice((token("null"), [], Object(()), token(rng.choice(ODD_NUMBERS))))
    if rng.one_in(60):
        dtype = rng.choice((types_pb2.DT_FLOAT, types_pb2.DT_STRING, types_pb2.DT_BOOL))
    if dtype == types_pb2.DT_STRING:
        return string(rng)
    if dtype == types_pb2.DT_BOOL:
        return token(rng.choice(("true", "false")))
    if dtype in FLOATS:
        digits = repr(rng.uniform(-1000, 1000))
        return token(rng.choice((*DECIMALS, *WHOLE_NUMBERS, *NOT_FINITE, digits, digits, digits)))
    if rng.one_in(12):
        return token(rng.choice(WHOLE_NUMBERS))
    return token(str(rng.randint(-9 if dtype not in UNSIGNED else 0, 99)))


UNSIGNED = {types_pb2.DT_UINT8, types_pb2.DT_UINT16, types_pb2.DT_UINT32, types_pb2.DT_UINT64}


def string(rng: SeededRandom) -> Tree:
    """Makes a plain string, or base64 in an object."""
    if rng.one_in(3):
        return base64_object(rng, rng.bytes_value())
    if rng.one_in(25):
        return Token(rng.choice(ODD_STRINGS).encode("latin-1"))
    if rng.one_in(60):
        return Token(b'"' + rng.choice((b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5a")) + b'"')
    text = rng.choice((rng.text_value(), f"{rng.randrange(99)}+{rng.randrange(99)}"))
    return Token(json.dumps(text, ensure_ascii=rng.one_in(2)).encode())


def base64_object(rng: SeededRandom, data: bytes) -> Tree:
    """Makes an object with base64 in one of several spellings, some of them invalid."""
    text = base64.b64encode(data)
    if rng.one_in(3):
        text = rng.choice(
            (
                base64.urlsafe_b64encode(data),
                text.rstrip(b"="),
                text + b"=",
                text.replace(b"=", b"."),
                text[:-1],
                b" " + text,
                text + b"\xc2\xa0",
                b"=",
                b"!" + text,
                text[: len(text) // 2] + b"=" + text[len(text) // 2 :],
            )
        )
    value = Token(b'"' + text + b'"')
    if rng.one_in(30):
        return Object(((b'"b64"', value), (b'"b64"', value)))
    if rng.one_in(30):
        return Object(((b'"b64"', value), (b'"x"', token("1"))))
    if rng.one_in(30):
        return Object(((b'"b64"', token("1")),))
    return Object(((b'"b64"', value),))


def tensor(rng: SeededRandom, dtype: int, shape: tuple[int, ...]) -> Tree:
    """Makes nested lists of a shape; rarely, they are ragged, very deep or very long."""
    if not shape:
        return scalar(rng, dtype)
    if rng.one_in(1500):
        return [token("1")] * MANY + [token(rng.choice(("1", "null", '"a"')))]
    rows = [tensor(rng, dtype, shape[1:]) for _ in range(shape[0])]
    if rng.one_in(60):
        rows.append(rng.choice(([], scalar(rng, dtype), [scalar(rng, dtype)])))
    if rng.one_in(150):
        return nested(rows, rng.choice(DEPTHS))
    return rows


def nested(tree: Tree, levels: int) -> Tree:
    for _ in range(levels):
        tree = [tree]
    return tree


def token(text: str) -> Token:
    return Token(text.encode())
