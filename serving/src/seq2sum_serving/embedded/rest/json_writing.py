"""Python values to JSON text as TensorFlow Serving writes it.

Numbers keep a sign of being decimal (`2.0`), `NaN` and infinities are bare words, and bytes that
are not UTF-8 come out as they are. Numpy does the work for whole arrays.
"""

from __future__ import annotations

import contextlib
import re
from array import array
from decimal import Decimal
from json import encoder
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENCODING_ERRORS = "surrogateescape"
"""How strings carry bytes that are not UTF-8."""

INDENT = "    "

_quoted = encoder.c_encode_basestring or encoder.py_encode_basestring  # type: ignore[attr-defined]

_FLOAT32_DIGITS, _FLOAT64_DIGITS = 9, 17
_LARGEST_FLOAT32 = 3.4028234e38
_WORDS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}

_PLAIN_DIGITS = 21
_PLAIN_ZEROS = -6


class _NotWritable(Exception):
    """A number in the middle of a value that the real writer stops at."""


def string_text(text: str) -> str:
    """A string in quotes."""
    quoted: str = _quoted(text)
    if "\\u00" in quoted:  # the library's hexadecimal digits are small
        # An escaped backslash in front of `u00…` is none of ours.
        return re.sub(r"\\\\|\\u00[0-9a-f]{2}", _capital, quoted)
    return quoted


def _capital(found: re.Match[str]) -> str:
    escape = found.group()
    return escape if escape == "\\\\" else "\\u" + escape[2:].upper()


def string_texts(values: list[bytes]) -> list[str]:
    """Byte strings as strings in quotes."""
    return [string_text(value.decode("utf-8", ENCODING_ERRORS)) for value in values]


def decimal_texts(values: NDArray[Any]) -> list[str]:
    """Floats as text: six digits if that is enough to read the same back, else all of them.

    Args:
        values: float32 or float64, of any shape.
    """
    numbers: list[float] = values.ravel().tolist()
    texts = [f"{number:.6g}" for number in numbers]
    double = values.dtype == np.float64
    # Read back with the width they had.
    again = array("d" if double else "f", map(float, texts))
    digits = _FLOAT64_DIGITS if double else _FLOAT32_DIGITS
    for index in np.flatnonzero(np.frombuffer(again, values.dtype) != values.ravel()).tolist():
        texts[index] = f"{numbers[index]:.{digits}g}"
    return [
        text if "." in text or "e" in text else _WORDS.get(text) or text + ".0" for text in texts
    ]


def decimal_text(number: float, *, double: bool = False) -> str:
    """One float as text."""
    dtype = np.float64 if double else np.float32
    return decimal_texts(np.array([number], dtype))[0]


def value_text(value: Any) -> str:
    """A JSON value as it stands in error messages."""
    if isinstance(value, float):
        single = -_LARGEST_FLOAT32 <= value <= _LARGEST_FLOAT32
        return decimal_text(value, double=not single)
    pieces: list[str] = []
    with contextlib.suppress(_NotWritable):  # the message goes on after half a value, as there
        _append(value, "\n", pieces)
    return "".join(pieces)


def _append(value: Any, newline: str, pieces: list[str]) -> None:
    """Objects take a line for each member, lists are on one line."""
    if isinstance(value, dict):
        inner = newline + INDENT
        for index, (name, member) in enumerate(value.items()):
            pieces.append(f"{',' if index else '{'}{inner}{string_text(name)}: ")
            _append(member, inner, pieces)
        pieces.append(newline + "}" if value else "{}")
    elif isinstance(value, list):
        pieces.append("[")
        for index, element in enumerate(value):
            pieces.append(", " if index else "")
            _append(element, newline, pieces)
        pieces.append("]")
    else:
        pieces.append(_scalar(value))


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return string_text(value)
    return _nested(value) if isinstance(value, float) else str(value)


def _nested(number: float) -> str:
    """A float within an object or a list: shortest digits, few zeros."""
    if number - number != 0:  # NaN and infinities
        raise _NotWritable
    sign, parts, power = Decimal(repr(number)).normalize().as_tuple()
    digits = "".join(map(str, parts))
    point = len(digits) + int(power)  # digits before the decimal point
    if number == 0:
        text = "0.0"
    elif len(digits) <= point <= _PLAIN_DIGITS:
        text = digits + "0" * (point - len(digits)) + ".0"
    elif 0 < point <= _PLAIN_DIGITS:
        text = f"{digits[:point]}.{digits[point:]}"
    elif _PLAIN_ZEROS < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        text = f"{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{point - 1}"
    return "-" + text if sign else text


def error_text(message: str) -> str:
    """The body of an error."""
    return f'{{\n{INDENT}"error": {string_text(message)}\n}}'
