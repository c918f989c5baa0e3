"""What signatures that send their input back must answer over REST."""

from __future__ import annotations

import base64
import json
import math
import re
from typing import Any

import numpy as np
from fuzz.inputs import Rest
from fuzz.json_text import Pairs, Raw, Tree, read

PATH = "/v1/models/odd:predict"
KEYS = {b'"inputs"': "outputs", b'"instances"': "predictions"}
FLOATS = {"float32": 2.0**-22, "float64": 2.0**-50}
"""Relative error that a reader and a writer of decimals may make."""
SMALLEST = {"float32": 1.2e-38, "float64": 2.3e-308}
"""What is smaller may become zero: RapidJSON reads subnormal numbers so."""
LARGEST_FLOAT = float(np.finfo(np.float32).max)
INTEGERS = {
    name: (int(np.iinfo(name).min), int(np.iinfo(name).max))
    for name in ("int8", "uint8", "int32", "int64", "uint32", "uint64")
}
INTEGER = re.compile(rb"-?\d+")
SURROGATE = re.compile("[\ud800-\udfff]")
DEEPEST = 100
REFUSED = 400


class Unknown(Exception):
    """The answer to this input is not known."""


class Refused(Exception):
    """This input must be refused."""


def expected(question: Rest) -> int | tuple[str, list[Any], str] | None:
    """Reply key, flat values and dtype; or 400; None if that is not known."""
    try:
        return _expected(question)
    except Unknown:
        return None
    except Refused:
        return REFUSED


def _expected(question: Rest) -> tuple[str, list[Any], str]:
    tree = read(question.body or b"")
    if question.verb != "POST" or question.path != PATH or not isinstance(tree, Pairs):
        raise Unknown
    items = dict(tree.items)
    name = items.pop(b'"signature_name"', Raw(b'"echo_float32"'))
    if len(tree.items) != len(dict(tree.items)) or len(items) != 1 or not isinstance(name, Raw):
        raise Unknown
    [(key, value)] = items.items()
    prefix, _, dtype = name.text.decode("utf-8", "replace").strip('"').partition("_")
    if key not in KEYS or prefix != "echo":
        raise Unknown
    if key == b'"instances"' and not isinstance(value, list):
        raise Unknown
    leaves: list[Tree] = []
    shape_of(value, leaves, 0)
    return KEYS[key], [leaf(one, dtype) for one in leaves], dtype


def shape_of(tree: Tree, leaves: list[Tree], depth: int) -> tuple[int, ...]:
    """The shape of nested lists, whose leaves are collected."""
    if not isinstance(tree, list):
        leaves.append(tree)
        return ()
    if not tree or depth > DEEPEST:
        raise Unknown
    shapes = {shape_of(one, leaves, depth + 1) for one in tree}
    if len(shapes) > 1:
        raise Unknown
    return (len(tree), *shapes.pop())


def leaf(tree: Tree, dtype: str) -> Any:
    """The value of one element."""
    if isinstance(tree, Pairs):
        if dtype != "string" or [key for key, _ in tree.items] != [b'"b64"']:
            raise Unknown
        return from_base64(tree.items[0][1])
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
    if dtype in FLOATS and (number := a_number(text)) is not None:
        return number
    raise Unknown


def a_number(text: bytes) -> float | None:
    """A JSON number; None if it is none, or too large for a double."""
    try:
        number = float(text)
    except ValueError:
        return None
    if math.isinf(number) and b"Inf" not in text:
        return None
    return number


def from_base64(tree: Tree) -> bytes:
    """As the recorded cases of the group `rest-base64` decode: no padding, or the right amount."""
    text = tree.text.decode("latin-1") if isinstance(tree, Raw) else ""
    if not re.fullmatch(r'"[\x21\x23-\x5b\x5d-\x7e]*"', text):
        raise Unknown
    digits = text[1:-1].rstrip("=.")
    padding = len(text) - 2 - len(digits)
    if not re.fullmatch(r"[A-Za-z0-9+/]*", digits):
        raise Refused
    if len(digits) % 4 == 1 or padding not in (0, -len(digits) % 4):
        raise Refused
    return base64.b64decode(digits + "=" * (-len(digits) % 4))


def departures(expectation: tuple[str, list[Any], str], body: bytes) -> list[str]:
    """Where an answer is not the expected one."""
    key, wanted, dtype = expectation
    try:
        reply = json.loads(body.decode("utf-8", "surrogateescape"), strict=False)
        seen = flat(reply[key])
    except (ValueError, KeyError, TypeError) as error:
        return [f"the reply has no {key!r} that can be read: {error!r}"]
    if len(seen) != len(wanted):
        return [f"{len(wanted)} values became {len(seen)}"]
    return [
        f"output is not the input: value {number}, {sent!r} became {got!r}"
        for number, (sent, got) in enumerate(zip(wanted, seen, strict=True))
        if not same(sent, got, dtype)
    ][:3]


def flat(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [inner for one in value for inner in flat(one)]
    return [value]


def same(sent: Any, got: Any, dtype: str) -> bool:
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
