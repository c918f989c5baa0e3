"""Compares outputs with those that a golden request expects."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from seq2sum._dtypes import shape_text
from seq2sum._nested_lists import InvalidValue, flatten, shown
from seq2sum.golden.requests import ARGMAX, EXACT, Compare, GoldenRequest, Tolerance

MAX_SHOWN = 3
"""Differing values of one output in a message."""


def differences(request: GoldenRequest, outputs: Mapping[str, Any]) -> list[str]:
    """Returns a text for each output that is not as expected; an empty list if all are.

    Args:
        request: The golden request.
        outputs: Values by output name: tensors, arrays or nested lists.
    """
    found = []
    for name, expected in request.expect.items():
        if name not in outputs:
            found.append(f"output {name} is missing")
        elif text := _difference(outputs[name], expected, request.compare.get(name, EXACT)):
            found.append(f"{name} {text}")
    return found


def _difference(value: Any, expected: Any, how: Compare) -> str:
    """Returns the difference as text; empty if the value is as expected."""
    try:
        shape, values = flatten(value)
    except InvalidValue as error:
        return f"is {error}"
    expected_shape, expected_values = flatten(expected)
    if shape != expected_shape and not (not values and not expected_values and how != ARGMAX):
        return f"has shape {shape_text(shape)}, expected {shape_text(expected_shape)}"
    if how == ARGMAX and shape and shape[-1]:
        shape = shape[:-1]
        size = expected_shape[-1]
        values, expected_values = _argmax(values, size), _argmax(expected_values, size)
    pairs = list(zip(map(_plain, values), map(_plain, expected_values), strict=True))
    different = [index for index, pair in enumerate(pairs) if not _as_expected(*pair, how)]
    if not different:
        return ""
    examples = [
        f"{_place(index, shape)}{_text(pairs[index][0])} (expected {_text(pairs[index][1])})"
        for index in different[:MAX_SHOWN]
    ]
    more = len(different) - len(examples)
    kind = " (argmax)" if how == ARGMAX else ""
    return f"is {', '.join(examples)}{kind}" + (f" and {more:,} more" if more else "")


def _as_expected(value: Any, expected: Any, how: Compare) -> bool:
    if not isinstance(how, Tolerance):
        return bool(value == expected)
    try:
        error = abs(value - expected)
        return bool(error <= how.atol + how.rtol * abs(expected))
    except TypeError:  # the output is not a number
        return False


def _argmax(values: Sequence[Any], size: int) -> list[int]:
    """Returns the index of the largest value of each row; -1 for a row with NaN."""
    rows = [values[start : start + size] for start in range(0, len(values), size)]
    return [-1 if any(map(_is_nan, row)) else max(range(size), key=row.__getitem__) for row in rows]


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _plain(value: Any) -> Any:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


def _place(index: int, shape: Sequence[int]) -> str:
    """Returns the indices of a value in its tensor: `[3, 0] `; empty for a single value."""
    indices: list[int] = []
    for size in reversed(shape):
        index, position = divmod(index, size)
        indices.append(position)
    return f"{indices[::-1]} " if math.prod(shape) > 1 else ""


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return shown(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return shown(value)
