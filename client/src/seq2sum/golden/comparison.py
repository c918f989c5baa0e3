"""Compares outputs with those that a golden request expects."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from seq2sum._dtypes import shape_text
from seq2sum._float_digits import DIGITS, nearest
from seq2sum._nested_lists import InvalidValue, flatten, read_array, shown
from seq2sum._tensor import Tensor
from seq2sum.golden.requests import ARGMAX, EXACT, Compare, GoldenRequest, Tolerance

MAX_SHOWN = 3
"""Differing values of one output in a message."""


def differences(request: GoldenRequest, outputs: Mapping[str, Any]) -> list[str]:
    """Returns a text for each output that is not as expected; an empty list if all are.

    Exactly compared floats are equal if the expected number rounds to the output's: in 32 bits, an
    expected 0.1 is the float32 nearest to it. Nested lists count as 64 bits.

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


def _difference(value: Any, expected: Any, compare: Compare) -> str:
    """Returns the difference as text; empty if the value is as expected."""
    try:
        shape, values = flatten(value)
    except InvalidValue as error:
        return f"is {error}"
    expected_shape, expected_values = flatten(expected)
    both_empty = not values and not expected_values and compare != ARGMAX
    if shape != expected_shape and not both_empty:
        return f"has shape {shape_text(shape)}, expected {shape_text(expected_shape)}"
    if compare == ARGMAX and shape and shape[-1]:
        shape = shape[:-1]
        size = expected_shape[-1]
        values, expected_values = _argmax(values, size), _argmax(expected_values, size)
    pairs = list(zip(map(_plain, values), map(_plain, expected_values), strict=True))
    dtype = _float_dtype(value)
    different = [i for i, pair in enumerate(pairs) if not _as_expected(*pair, compare, dtype)]
    if not different:
        return ""
    examples = [
        "{}{} (expected {})".format(_indices_text(index, shape), *_texts(*pairs[index]))
        for index in different[:MAX_SHOWN]
    ]
    more = len(different) - len(examples)
    kind = " (argmax)" if compare == ARGMAX else ""
    return f"is {', '.join(examples)}{kind}" + (f" and {more:,} more" if more else "")


def _float_dtype(value: Any) -> str | None:
    """Returns the dtype of a tensor or array of floats of less than 64 bits; None for others."""
    if isinstance(value, Tensor):
        return value.dtype if value.dtype in DIGITS else None
    array = read_array(value)
    if array is None:
        return None
    return {("f", 2): "DT_HALF", ("f", 4): "DT_FLOAT"}.get(
        (array.kind, array.size), array.kind if array.kind in DIGITS else None
    )


def _as_expected(value: Any, expected: Any, compare: Compare, dtype: str | None) -> bool:
    if not isinstance(compare, Tolerance):
        if value == expected:
            return True
        is_number = isinstance(expected, int | float)
        return dtype is not None and is_number and value == nearest(dtype, expected)
    try:
        error = abs(value - expected)
        return bool(error <= compare.atol + compare.rtol * abs(expected))
    except (TypeError, OverflowError):  # not a number, or an integer too large for a float
        return False


def _argmax(values: Sequence[Any], size: int) -> list[int]:
    """Returns the index of the largest value of each row; -1 for a row with NaN."""
    rows = [values[start : start + size] for start in range(0, len(values), size)]
    return [-1 if any(map(_is_nan, row)) else max(range(size), key=row.__getitem__) for row in rows]


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _plain(value: Any) -> Any:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


def _indices_text(index: int, shape: Sequence[int]) -> str:
    """Returns the indices of a value in its tensor: `[3, 0] `; empty for a single value."""
    indices: list[int] = []
    for size in reversed(shape):
        index, position = divmod(index, size)
        indices.append(position)
    return f"{indices[::-1]} " if math.prod(shape) > 1 else ""


def _texts(value: Any, expected: Any) -> tuple[str, str]:
    texts = _text(value), _text(expected)
    return texts if texts[0] != texts[1] else (repr(value), repr(expected))


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return shown(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return shown(value)
