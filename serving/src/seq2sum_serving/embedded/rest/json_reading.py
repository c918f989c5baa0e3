"""JSON text to Python values, in the dialect of TensorFlow Serving's parser.

`NaN` and infinities are numbers; what follows the first value is ignored; of two members with
one name the first counts; bytes that are not UTF-8 pass through strings (as surrogate escapes).
Numbers come out as int if they are 64-bit integers, else as float.

The standard library reads what it reads in the same way; whatever it refuses, or would read
differently, goes through `rapid_json`, which knows the other parser's words and offsets.
"""

from __future__ import annotations

import json
import re
from typing import Any

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.rest import rapid_json
from seq2sum_serving.embedded.rest.json_writing import ENCODING_ERRORS, value_text

_WHITESPACE = re.compile(r"[ \t\r\n]*")
# Long or large numbers: the other parser rounds them in its own way, or refuses them.
_AS_ZEROS = bytes.maketrans(b"123456789.", b"0" * 10)
_LONG = b"0" * 16
_EXPONENT = re.compile(rb"[eE][-+]?[0-9]{2}")
_SURROGATE_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read_object(body: bytes) -> dict[str, Any]:
    """The object that a request's body begins with.

    Raises:
        ServingError: The body is no JSON, or no object.
    """
    if not body:
        raise ServingError(Code.INVALID_ARGUMENT, "JSON Parse error: The document is empty")
    value = read_value(body)
    if not isinstance(value, dict):
        raise ServingError(Code.INVALID_ARGUMENT, f"JSON Value: {value_text(value)} Is not object")
    return value


def read_value(body: bytes) -> Any:
    """The first JSON value of a text.

    Raises:
        ServingError: There is none.
    """
    try:
        return _quickly(body)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        pass
    try:
        return rapid_json.Reader(body).read()
    except RecursionError:
        raise _too_deep() from None


def _quickly(body: bytes) -> Any:
    """Raises ValueError for whatever needs the careful reader."""
    if b"\\u" in body:
        # Backslashes that are escaped themselves escape nothing.
        escapes = body.replace(b"\\\\", b" ")
        if _SURROGATE.search(_SURROGATE_PAIR.sub(b"", escapes)):
            raise ValueError
    careful = _LONG in body.translate(_AS_ZEROS) or _EXPONENT.search(body)
    decoder = _CAREFUL if careful else _DECODER
    text = body.decode("utf-8", ENCODING_ERRORS)
    start = _WHITESPACE.match(text)
    value, _ = decoder.raw_decode(text, start.end() if start else 0)
    return value


def _first_wins(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) != len(members):
        value = {}
        for name, member in members:
            value.setdefault(name, member)
    return value


def _too_deep() -> ServingError:
    return ServingError(
        Code.INVALID_ARGUMENT, "JSON Parse error: The document is nested too deeply"
    )


_DECODER = json.JSONDecoder(object_pairs_hook=_first_wins)
_CAREFUL = json.JSONDecoder(
    object_pairs_hook=_first_wins,
    parse_float=rapid_json.number,
    parse_int=rapid_json.number,
)
