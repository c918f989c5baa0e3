"""Parses JSON numbers to the values that RapidJSON produces in TensorFlow Serving.

64-bit integers stay integers. Other numbers become doubles that are rounded twice, for the digits
and for the exponent: the last bit may differ from the nearest double, because TensorFlow Serving
parses without kParseFullPrecisionFlag (util/json_tensor.cc).
"""

from __future__ import annotations

_MAX_EXACT = 2**53 - 1
"""Above this, further digits of a fraction are added with rounding."""
_MAX_DIGITS = 17
_INTEGER_DIGITS = 20
_MAX_BEFORE_LAST_DIGIT = 1.7976931348623157e307
_MAX_EXPONENT = 308
_POWERS = [float(f"1e{power}") for power in range(_MAX_EXPONENT + 1)]
_SMALLEST_NORMAL = 2.2250738585072014e-308
"""TensorFlow's threads flush smaller numbers to zero (recorded case
rest-numbers/float64-smallest)."""


def parse_number(token: str) -> int | float:
    """Returns the value of a well-formed number.

    Raises:
        ValueError: The number is too large for a double.
    """
    mantissa, _, power = token.lower().partition("e")
    minus = mantissa.startswith("-")
    whole, point, fraction = mantissa[minus:].partition(".")
    if point and not power and len(mantissa) <= _MAX_EXPONENT:
        # The common case: all digits, or all but the last, form an exact integer.
        digits = int(whole + fraction)
        if digits // 10 <= _MAX_EXACT:
            return _signed(float(digits) / _POWERS[len(fraction)], minus=minus)
    limit = 2**63 if minus else 2**64 - 1
    if not point and not power and len(whole) <= _INTEGER_DIGITS and int(whole) <= limit:
        return -int(whole) if minus else int(whole)
    return _signed(_scaled(whole, fraction, _exponent(power), limit), minus=minus)


def _exponent(power: str) -> int:
    """Returns the value of an exponent; too large ones are truncated, and stay too large."""
    digits = power.lstrip("+-").lstrip("0")[:_INTEGER_DIGITS] or "0"
    return -int(digits) if power.startswith("-") else int(digits)


def _signed(size: float, *, minus: bool) -> float:
    if size < _SMALLEST_NORMAL:
        size = 0.0
    return -size if minus else size


def _scaled(whole: str, fraction: str, exponent: int, limit: int) -> float:
    significand: int | float = 0
    for digit in whole:
        grown = significand * 10 + int(digit)
        if isinstance(significand, int) and grown > limit:
            grown = float(significand) * 10 + int(digit)
        elif significand >= _MAX_BEFORE_LAST_DIGIT:
            raise ValueError("number too large for a double")
        significand = grown
    digits = len(whole) - 1
    taken = 0
    for digit in fraction:
        if significand > _MAX_EXACT:
            significand = float(significand)
        if isinstance(significand, float) and digits >= _MAX_DIGITS:
            break
        significand = significand * 10 + int(digit)
        taken += 1
        digits += significand > 0
    if exponent > _MAX_EXPONENT + taken:
        raise ValueError("number too large for a double")
    return _times_power(float(significand), exponent - taken)


def _times_power(value: float, power: int) -> float:
    if power < -_MAX_EXPONENT:
        value /= _POWERS[_MAX_EXPONENT]
        power += _MAX_EXPONENT
        if power < -_MAX_EXPONENT:
            return 0.0
    return value * _POWERS[power] if power >= 0 else value / _POWERS[-power]
