"""JSON as TensorFlow Serving's REST API writes tensors: bytes are `{"b64": "..."}`."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from typing import Any

from seq2sum._nested_lists import shown

BASE64 = "b64"
HUGE = re.compile(r"[eE]\+?0*[1-9]\d\d|\d{308}")
"""Texts of floats that may be too large for 64 bits, which Python reads as infinity."""


class InvalidJson(ValueError):
    """A text that is not JSON, or not the JSON of tensors; the text says why."""


def parse(text: str, *, constant: Callable[[str], Any] | None = None) -> Any:
    """Returns the JSON value of a text.

    Args:
        text: The text.
        constant: Reads NaN, Infinity and -Infinity; None to accept them.

    Raises:
        InvalidJson: It is not JSON, or has a name twice or a number that is too large.
    """
    number = _finite if HUGE.search(text) else None
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_float=number, parse_constant=constant
        )
    except InvalidJson:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidJson(f"not valid JSON: {error}") from error


def is_bytes(value: Any) -> bool:
    """Returns whether a JSON value has the form of bytes."""
    return isinstance(value, dict) and value.keys() == {BASE64} and isinstance(value[BASE64], str)


def decoded(value: Any) -> Any:
    """Returns nested lists with bytes in place of `{"b64": "..."}`.

    Raises:
        InvalidJson: An object is not of this form, or its text is not base64.
    """
    if isinstance(value, list):
        return [decoded(each) for each in value]
    if not isinstance(value, dict):
        return value
    if not is_bytes(value):
        raise InvalidJson(f'an object is not a value; write bytes as {{"{BASE64}": "..."}}')
    try:
        return base64.b64decode(value[BASE64], validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidJson(f"{shown(value[BASE64])} is not base64: {error}") from error


def encoded(value: bytes) -> str | dict[str, str]:
    """Returns bytes as text if they are UTF-8, and as `{"b64": "..."}` otherwise."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {BASE64: base64.b64encode(value).decode()}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidJson(f"an object has the name {shown(twice)} twice")
    return found


def _finite(text: str) -> float:
    if math.isinf(value := float(text)):
        raise InvalidJson(f"the number {shown(text)} is too large")
    return value
