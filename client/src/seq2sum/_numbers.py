"""Numbers from callers: Python's own from here on, whatever type they came as.

numpy's scalars pass for numbers and are not: `time.monotonic() + numpy.float32(2)` is a float32,
whose steps are as wide as the timeout after a few weeks of uptime, and protobuf and gRPC take
plain `int` and `float`. So every public number is converted once, when it is given.
"""

from __future__ import annotations

import math
import operator
import sys
from typing import Any, NoReturn

LONGEST = 1e8
"""Seconds, three years: more does not fit gRPC's timeout header, nor every wait of the system."""
NOT_NUMBERS = frozenset("bcmMSUO")
"""Kinds of numpy's dtypes (its attribute `kind`) that convert to a number and do not mean one:
booleans, complex numbers, times, texts, objects."""
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
            number = float(plain(name, value, expected))
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


def whole(name: str, value: Any, *, least: int, most: int | None = None) -> int:
    """Returns a whole number as an int.

    Raises:
        TypeError: The value is not a whole number.
        ValueError: It is not between `least` and `most`.
    """
    expected = f"a whole number, {least} or more"
    if most is not None and most < sys.maxsize:
        expected = f"a whole number from {least} to {most}"
    number = value
    if type(value) is not int:
        number = plain(name, value, expected)
        if type(number) is not int:
            _refuse(TypeError, name, value, expected)
    if number < least or (most is not None and number > most):
        _refuse(ValueError, name, value, expected)
    return int(number)


def plain(name: str, value: Any, expected: str) -> int | float:
    """Returns the value as an int if it is a whole number by its type, as a float otherwise.

    Raises:
        TypeError: The value is not a number.
        ValueError: No float holds it.
    """
    text = isinstance(value, bool | str | bytes | bytearray | complex)
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if text or kind in NOT_NUMBERS or getattr(value, "ndim", 0) != 0:
        _refuse(TypeError, name, value, expected)
    try:
        return operator.index(value)
    except TypeError:
        pass
    try:
        return float(value)
    except TypeError:
        _refuse(TypeError, name, value, expected)
    except (ValueError, OverflowError):
        _refuse(ValueError, name, value, expected)


def _refuse(kind: type[Exception], name: str, value: object, expected: str) -> NoReturn:
    try:
        shown = repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        shown = "with thousands of digits"
    if len(shown) > LONGEST_SHOWN:
        shown = f"{shown[:LONGEST_SHOWN]}…"
    raise kind(f"invalid {name} {shown}: expected {expected}") from None
