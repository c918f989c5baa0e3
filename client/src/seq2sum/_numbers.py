"""Conversion of callers' numbers to Python's `int` and `float`.

numpy scalars behave almost like numbers: but `time.monotonic() + numpy.float32(2)` is a float32,
whose resolution after a few weeks of uptime is as coarse as the timeout, and protobuf and gRPC
accept only `int` and `float`. So every public number is converted once, on entry.
"""

from __future__ import annotations

import math
import operator
import sys
from typing import Any, NoReturn

LONGEST = 1e8
"""Seconds, three years: gRPC's timeout header and some system calls do not take more."""
NOT_NUMBERS = frozenset("bcmMSUO")
"""Values of numpy's `dtype.kind` whose scalars convert to a number but are not one: booleans,
complex numbers, times, texts, objects."""
LONGEST_SHOWN = 60


def real(
    name: str,
    value: Any,
    *,
    least: float = 0.0,
    most: float = math.inf,
    expected: str = "a finite number, 0 or more",
) -> float:
    """Returns the value as a float.

    Raises:
        TypeError: The value is not a number.
        ValueError: It is not finite, or not between `least` and `most`.
    """
    number = value
    if type(value) is not float:
        try:
            number = float(to_python(name, value, expected))
        except OverflowError:
            _refuse(ValueError, name, value, expected)
    if not (least <= number <= most and math.isfinite(number)):
        _refuse(ValueError, name, value, expected)
    return float(number)


def seconds(name: str, value: Any, *, least: float = 0.0, most: float = math.inf) -> float:
    """Returns a time as a float. Raises as `real` does."""
    expected = f"a finite number of seconds, {least:g} or more"
    if most < math.inf:
        expected = f"a number of seconds from {least:g} to {most:g}"
    return real(name, value, least=least, most=most, expected=expected)


def integer(name: str, value: Any, *, least: int, most: int | None = None) -> int:
    """Returns an integer as an int.

    Raises:
        TypeError: The value is not an integer.
        ValueError: It is not between `least` and `most`.
    """
    expected = f"an integer, {least} or more"
    if most is not None and most < sys.maxsize:
        expected = f"an integer from {least} to {most}"
    number = value
    if type(value) is not int:
        number = to_python(name, value, expected)
        if type(number) is not int:
            _refuse(TypeError, name, value, expected)
    if number < least or (most is not None and number > most):
        _refuse(ValueError, name, value, expected)
    return int(number)


def to_python(name: str, value: Any, expected: str, *, of: str = "") -> int | float:
    """Returns the value as an int if its type is an integer type, as a float otherwise.

    Args:
        name: The name of the value, for error messages.
        value: The value.
        expected: A description of valid values.
        of: The rest of the name, which follows the value in messages.

    Raises:
        TypeError: The value is not a number.
        ValueError: It does not fit a float.
    """
    other_type = isinstance(value, bool | str | bytes | bytearray | complex)
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if other_type or kind in NOT_NUMBERS or getattr(value, "ndim", 0) != 0:
        _refuse(TypeError, name, value, expected, of)
    try:
        return operator.index(value)
    except TypeError:
        pass
    try:
        return float(value)
    except TypeError:
        _refuse(TypeError, name, value, expected, of)
    except (ValueError, OverflowError):
        _refuse(ValueError, name, value, expected, of)


def _refuse(
    kind: type[Exception], name: str, value: object, expected: str, of: str = ""
) -> NoReturn:
    try:
        shown = repr(value)
    except ValueError:  # Python does not convert more than 4,300 digits
        shown = "with thousands of digits"
    if len(shown) > LONGEST_SHOWN:
        shown = f"{shown[:LONGEST_SHOWN]}…"
    raise kind(f"invalid {name} {shown}{of}: expected {expected}") from None
