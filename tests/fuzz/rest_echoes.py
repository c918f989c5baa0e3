"""The expected REST replies of signatures that return their input."""

from __future__ import annotations

import base64
import json
import math
import re
from typing import Any

import numpy as np
from fuzz.inputs import Rest
from fuzz.json_text import Object, Token, Tree, read

PATH = "/v1/models/odd:predict"
KEYS = {b'"inputs"': "outputs", b'"instances"': "predictions"}
FLOATS = {"float32": 2.0**-22, "float64": 2.0**-50}
"""Relative error allowed for parsing and formatting a decimal."""
SMALLEST = {"float32": 1.2e-38, "float64": 2.3e-308}
"""Smaller numbers may become zero: RapidJSON may read a subnormal number as zero."""
LARGEST_FLOAT = float(np.finfo(np.float32).max)
INTEGERS = {
    name: (int(np.iinfo(name).min), int(np.iinfo(name).max))
    for name in ("int8", "uint8", "int32", "int64", "uint32", "uint64")
}
INTEGER = re.compile(rb"-?\d+")
SURROGATE = re.compile("[\ud800-\udfff]")
MAX_DEPTH = 100
REJECTED = 400


class Unknown(Exception):
    """The reply to this input is unknown."""


class Rejected(Exception):
    """This input must be rejected."""


def expected(request: Rest) -> int | tuple[str, list[Any], str] | None:
    """Returns reply key, flat values and dtype, or 400; None if unknown."""
    try:
        return _expected(request)
    except Unknown:
        return None
    except Rejected:
        return REJECTED


def _expected(request: Rest) -> tuple[str, list[Any], str]:
    tree = read(request.body or b"")
    if request.verb != "POST" or request.path != PATH or not isinstance(tree, Object):
        raise Unknown
    items = dict(tree.members)
    name = items.pop(b'"signature_name"', Token(b'"echo_float32"'))
    if (
        len(tree.members) != len(dict(tree.members))
        or len(items) != 1
        or not isinstance(name, Token)
    ):
        raise Unknown
    [(key, value)] = items.items()
    prefix, _, dtype = name.text.decode("utf-8", "replace").strip('"').partition("_")
    if key not in KEYS or prefix != "echo":
        raise Unknown
    if key == b'"instances"' and not isinstance(value, list):
        raise Unknown
    leaves: list[Tree] = []
    shape_of(value, leaves, 0)
    return KEYS[key], [leaf(tree, dtype) for tree in leaves], dtype


def shape_of(tree: Tree, leaves: list[Tree], depth: int) -> tuple[int, ...]:
    """Returns the shape of nested lists, and collects their leaves."""
    if not isinstance(tree, list):
        leaves.append(tree)
        return ()
    if not tree or depth > MAX_DEPTH:
        raise Unknown
    shapes = {shape_of(element, leaves, depth + 1) for element in tree}
    if len(shapes) > 1:
        raise Unknown
    return (len(tree), *shapes.pop())


def leaf(tree: Tree, dtype: str) -> Any:
    """Returns the value of one element."""
    if isinstance(tree, Object):
        if dtype != "string" or [key for key, _ in tree.members] != [b'"b64"']:
            raise Unknown
        return from_base64(tree.members[0][1])
    text = tree.text
    if dtype == "string" and text.startswith(b'"'):
        value = json.loads(text.decode("utf-8", "surrogateescape"))
        if SURROGATE.search(value):
            raise Unknown
        return value.encode()
    if dtype == "bool" and text in (b"true", b"false"):
        return text == b"true"
    if dtype in INTEGERS and INTEGER.fullmatch(text):
        low, high = INTEGERS[dtype]
        if low <= int(text) <= high:
            return int(text)
    if dtype in FLOATS and (number := parse_number(text)) is not None:
        return number
    raise Unknown


def parse_number(text: bytes) -> float | None:
    """Returns a JSON number; None if it is not a number, or too large for a double."""
    try:
        number = float(text)
    except ValueError:
        return None
    if math.isinf(number) and b"Inf" not in text:
        return None
    return number


def from_base64(tree: Tree) -> bytes:
    """Decodes base64 without padding or with the right amount, as recorded in `rest-base64`."""
    text = tree.text.decode("latin-1") if isinstance(tree, Token) else ""
    if not re.fullmatch(r'"[\x21\x23-\x5b\x5d-\x7e]*"', text):
        raise Unknown
    digits = text[1:-1].rstrip("=.")
    padding = len(text) - 2 - len(digits)
    if not re.fullmatch(r"[A-Za-z0-9+/]*", digits):
        raise Rejected
    if len(digits) % 4 == 1 or padding not in (0, -len(digits) % 4):
        raise Rejected
    return base64.b64decode(digits + "=" * (-len(digits) % 4))


def mismatches(expectation: tuple[str, list[Any], str], body: bytes) -> list[str]:
    """Returns where a reply differs from the expectation, at most three values."""
    key, values, dtype = expectation
    try:
        reply = json.loads(body.decode("utf-8", "surrogateescape"), strict=False)
        actual = flat(reply[key])
    except (ValueError, KeyError, TypeError) as error:
        return [f"the reply has no readable {key!r}: {error!r}"]
    if len(actual) != len(values):
        return [f"{len(values)} values became {len(actual)}"]
    return [
        f"output is not the input: value {number}, {sent!r} became {got!r}"
        for number, (sent, got) in enumerate(zip(values, actual, strict=True))
        if not is_equal(sent, got, dtype)
    ][:3]


def flat(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [inner for element in value for inner in flat(element)]
    return [value]


def is_equal(sent: Any, got: Any, dtype: str) -> bool:
    if isinstance(sent, bytes):
        return isinstance(got, str) and got.encode("utf-8", "surrogateescape") == sent
    if dtype not in FLOATS:
        return type(got) is type(sent) and got == sent
    if not isinstance(got, float):
        return False
    if dtype == "float32" and abs(sent) > LARGEST_FLOAT * (1 + 2**-25):
        sent = math.copysign(math.inf, sent)
    if math.isnan(sent) or math.isnan(got):
        return math.isnan(sent) and math.isnan(got)
    if abs(sent) < SMALLEST[dtype]:
        return abs(got) <= SMALLEST[dtype]
    return math.isclose(sent, got, rel_tol=FLOATS[dtype])
