"""Rows of a model as JSON: inputs from lines of text, and outputs as JSON values.

Bytes are `{"b64": "..."}`, as in TensorFlow Serving's REST API.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from seq2sum import _json_values
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
        InvalidRow: The line is not JSON, has objects other than the row and `{"b64": "..."}`, or a
            number that is too large.
    """
    if isinstance(line, bytes):
        if line.endswith(CUT):
            raise InvalidRow("invalid row: the line is too long")
        raise InvalidRow("invalid row: the line is not UTF-8")
    if not line.strip():
        raise InvalidRow("invalid row: the line is empty")
    try:
        row = _json_values.parse(line)
        if isinstance(row, dict) and not _json_values.is_bytes(row):
            return {name: _json_values.decoded(value) for name, value in row.items()}
        return _json_values.decoded(row)
    except (_json_values.InvalidJson, RecursionError) as error:
        reason = "the line is too long" if line.endswith(CUT.decode()) else error
        raise InvalidRow(f"invalid row: {reason}") from error


def output_values(tensor: Tensor) -> Any:
    """Returns the values of a tensor as nested lists of JSON values.

    Bytes that are UTF-8 become text; complex numbers become pairs. Floats have the digits of their
    dtype. NaN and the infinities stay floats.
    """
    dtype = DTYPES[tensor.dtype]
    convert: Any = {"s": _json_values.encoded, "c": _complex}.get(dtype.kind)
    if dtype.name in DIGITS:
        convert = partial(shortest, dtype.name)
    return tensor.tolist() if convert is None else _mapped(tensor.tolist(), convert)


def _mapped(value: Any, convert: Any) -> Any:
    return [_mapped(each, convert) for each in value] if isinstance(value, list) else convert(value)


def _complex(value: complex) -> list[float]:
    return [value.real, value.imag]


def not_finite(value: Any) -> str | None:
    """Returns the first NaN or infinity in nested lists as JSON's dialects write it, if any."""
    if isinstance(value, float):
        return None if math.isfinite(value) else NAN_AND_INFINITIES[str(value)]
    if isinstance(value, list):
        return next(filter(None, map(not_finite, value)), None)
    return None
