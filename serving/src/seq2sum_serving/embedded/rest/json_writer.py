"""Writes values as JSON text in the format of TensorFlow Serving.

Floats keep a decimal point (`2.0`), `NaN` and infinities are unquoted, and bytes that are not UTF-8
are written unchanged. NumPy processes whole arrays.
"""

from __future__ import annotations

import contextlib
import math
import re
from array import array
from json import encoder
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2sum_serving.embedded.rest.grisu2 import digits_of
from seq2sum_serving.embedded.rest.json_objects import members

ENCODING_ERRORS = "surrogateescape"
"""Strings represent bytes that are not UTF-8 by surrogates."""

INDENT = "    "

ECHO_BYTES = 256
"""Limit for a JSON value in a message; the token that exceeds it is still written completely."""

_quoted = encoder.c_encode_basestring or encoder.py_encode_basestring  # type: ignore[attr-defined]

_FLOAT32_DIGITS, _FLOAT64_DIGITS = 9, 17
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}

_MAX_PLAIN_DIGITS = 21
_MIN_PLAIN_EXPONENT = -6


class _LimitReached(Exception):
    """The limit is reached."""


def string_text(text: str) -> str:
    """Returns a string in quotes."""
    quoted: str = _quoted(text)
    if "\\u00" in quoted:  # the library writes lower-case hexadecimal digits
        # Escaped backslashes match first, so that `\\u00…` in the text stays unchanged.
        return re.sub(r"\\\\|\\u00[0-9a-f]{2}", _upper_case, quoted)
    return quoted


def _upper_case(match: re.Match[str]) -> str:
    escape = match.group()
    return escape if escape == "\\\\" else "\\u" + escape[2:].upper()


def string_texts(values: list[bytes]) -> list[str]:
    """Returns byte strings as strings in quotes."""
    return [string_text(value.decode("utf-8", ENCODING_ERRORS)) for value in values]


def without_subnormals(values: NDArray[Any]) -> NDArray[Any]:
    """Replaces subnormal floats by zeros.

    TensorFlow's threads flush denormals to zero, also the REST threads of tensorflow_model_server
    (recorded cases rest-numbers/float32-too-small, float64-smallest).
    """
    small = np.abs(values) < np.finfo(values.dtype).tiny
    return np.where(small, np.copysign(values.dtype.type(0), values), values)


def decimal_texts(values: NDArray[Any]) -> list[str]:
    """Formats floats with six digits if these parse to the same number, else with all digits.

    Args:
        values: float32 or float64, of any shape.
    """
    values = without_subnormals(values)
    numbers: list[float] = values.ravel().tolist()
    texts = [f"{number:.6g}" for number in numbers]
    double = values.dtype == np.float64
    parsed = array("d" if double else "f", map(float, texts))
    digits = _FLOAT64_DIGITS if double else _FLOAT32_DIGITS
    for index in np.flatnonzero(np.frombuffer(parsed, values.dtype) != values.ravel()).tolist():
        texts[index] = f"{numbers[index]:.{digits}g}"
    return [
        text if "." in text or "e" in text else _NOT_FINITE.get(text) or text + ".0"
        for text in texts
    ]


def value_text(value: Any) -> str:
    """Returns the start of a JSON value for error messages.

    TensorFlow Serving stops before the next token once 256 bytes are written (recorded cases
    rest-echo), and at a number that is not finite.
    """
    writer = _EchoWriter()
    with contextlib.suppress(_LimitReached):
        writer.write(value, "\n")
    return "".join(writer.pieces)


class _EchoWriter:
    """RapidJSON's PrettyWriter with kFormatSingleLineArray and a limit."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._size = 0

    def write(self, value: Any, newline: str, before: str = "") -> None:
        """Writes a value; the limit also bounds the depth of the recursion.

        Objects take a line for each member and lists are on one line, but both indent.

        Args:
            value: The value.
            newline: A line end with the indent of the value's last line.
            before: Separator from the previous value; part of the first token.
        """
        inner = newline + INDENT
        if isinstance(value, dict):
            self._token(before + "{")
            for index, (name, member) in enumerate(members(value)):
                self._token(f"{',' if index else ''}{inner}{string_text(name)}")
                self.write(member, inner, ": ")
            self._token(newline + "}" if value else "}")
        elif isinstance(value, list):
            self._token(before + "[")
            for index, element in enumerate(value):
                self.write(element, inner, ", " if index else "")
            self._token("]")
        else:
            self._token(before + _scalar(value))

    def _token(self, text: str) -> None:
        if self._size >= ECHO_BYTES:
            raise _LimitReached
        self.pieces.append(text)
        self._size += len(text.encode("utf-8", ENCODING_ERRORS))


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return string_text(value)
    return _double(value) if isinstance(value, float) else str(value)


def _double(number: float) -> str:
    """Formats a double as RapidJSON does."""
    if not math.isfinite(number):
        raise _LimitReached
    sign = "-" if math.copysign(1, number) < 0 else ""
    if number == 0:
        return f"{sign}0.0"
    digits, power = digits_of(abs(number))
    point = len(digits) + power  # digits before the decimal point
    if len(digits) <= point <= _MAX_PLAIN_DIGITS:
        text = digits + "0" * power + ".0"
    elif 0 < point <= _MAX_PLAIN_DIGITS:
        text = f"{digits[:point]}.{digits[point:]}"
    elif _MIN_PLAIN_EXPONENT < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        text = f"{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{point - 1}"
    return sign + text


def error_text(message: str) -> str:
    """Returns the body of an error reply."""
    return f'{{\n{INDENT}"error": {string_text(message)}\n}}'
