"""Rows of a model as JSON: inputs from lines of text, and outputs as JSON values.

Bytes are `{"b64": "..."}`, as in TensorFlow Serving's REST API.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from functools import partial
from typing import Any

from seq2sum._command.input_lines import CUT, Line
from seq2sum._dtypes import DTYPES
from seq2sum._float_digits import DIGITS, shortest
from seq2sum._tensor import Tensor

NAN_AND_INFINITIES = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
"""Python's texts of these numbers, and those of JSON's dialects."""


class InvalidRow(ValueError):
    """A line is not a row of inputs; the text says why."""


def parse_row(line: Line) -> Any:
    """Returns the inputs in a line: a mapping by input name, or a value of the only input.

    Raises:
        InvalidRow: The line is not JSON, or has objects other than the row and `{"b64": "..."}`.
    """
    if isinstance(line, bytes):
        if line.endswith(CUT):
            raise InvalidRow("invalid row: the line is too long")
        raise InvalidRow("invalid row: the line is not UTF-8")
    if not line.strip():
        raise InvalidRow("invalid row: the line is empty")
    try:
        row = json.loads(line, object_pairs_hook=_object)
    except InvalidRow:
        raise
    except (ValueError, RecursionError) as error:
        long = line.endswith(CUT.decode())
        reason = "the line is too long" if long else f"it is not JSON: {error}"
        raise InvalidRow(f"invalid row: {reason}") from error
    values = row.values() if isinstance(row, dict) else [row]
    if any(map(_has_object, values)):
        raise InvalidRow('invalid row: an object is not a value; write bytes as {"b64": "..."}')
    return row


def _object(pairs: list[tuple[str, Any]]) -> Any:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InvalidRow("invalid row: an object has a name twice")
    if found.keys() != {"b64"} or not isinstance(found["b64"], str):
        return found
    try:
        return base64.b64decode(found["b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRow(f"invalid row: the value of b64 is not base64: {error}") from error


def _has_object(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_has_object, value))
    return isinstance(value, dict)


def output_values(tensor: Tensor) -> Any:
    """Returns the values of a tensor as nested lists of JSON values.

    Bytes that are UTF-8 become text; complex numbers become pairs. Floats have the digits of their
    dtype. NaN and the infinities stay floats.
    """
    dtype = DTYPES[tensor.dtype]
    convert: Any = {"s": bytes_value, "c": _complex}.get(dtype.kind)
    if dtype.name in DIGITS:
        convert = partial(shortest, dtype.name)
    return tensor.tolist() if convert is None else _mapped(tensor.tolist(), convert)


def _mapped(value: Any, convert: Any) -> Any:
    return [_mapped(each, convert) for each in value] if isinstance(value, list) else convert(value)


def bytes_value(value: bytes) -> str | dict[str, str]:
    """Returns bytes as text if they are UTF-8, and as `{"b64": "..."}` otherwise."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}


def _complex(value: complex) -> list[float]:
    return [value.real, value.imag]


def not_finite(value: Any) -> str | None:
    """Returns the first NaN or infinity in nested lists as JSON's dialects write it, if any."""
    if isinstance(value, float):
        return None if math.isfinite(value) else NAN_AND_INFINITIES[str(value)]
    if isinstance(value, list):
        return next(filter(None, map(not_finite, value)), None)
    return None
