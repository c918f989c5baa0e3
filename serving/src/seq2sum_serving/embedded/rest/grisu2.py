"""Grisu2: the decimal digits of a double as RapidJSON computes them (internal/dtoa.h).

The digits parse to the same double and are nearly always as few as possible, but the last digit
is not always the nearest: 0.30000000000000007 for 0.1 + 0.2 (recorded case
rest-parse/numbers-as-they-are-echoed-more). From "Printing Floating-Point Numbers Quickly and
Accurately with Integers", F. Loitsch, 2010.
"""

from __future__ import annotations

import functools
import math

_BITS = 64
_FRACTION_BITS = 53
_LOG10_OF_2 = 0.30102999566398114
_SMALLEST_POWER, _POWER_STEP = -348, 8
"""Smallest exponent of the powers of ten in RapidJSON's table, and the step to the next one."""
_TARGET_EXPONENT = -61
_ROUNDED_DIGITS = 9
"""RapidJSON rounds the last digit only if fewer than this many digits follow the scaled point."""


def digits_of(number: float) -> tuple[str, int]:
    """Returns digits d and exponent k of a positive, normal double d * 10^k."""
    fraction, exponent = math.frexp(number)
    significand, exponent = int(fraction * 2**_FRACTION_BITS), exponent - _FRACTION_BITS
    # All values are scaled like the upper boundary, which has 64 bits.
    shift = _BITS - (2 * significand + 1).bit_length()
    middle = significand << (shift + 1)
    upper = (2 * significand + 1) << shift
    # Below a power of two, the next double is half as far away.
    is_power_of_two = significand == 1 << (_FRACTION_BITS - 1)
    lower = upper - ((3 << shift >> 1) if is_power_of_two else (2 << shift))
    exponent -= shift + 1
    power, factor, factor_exponent = _cached_power(exponent)
    exponent += factor_exponent + _BITS
    middle, lower, upper = (_times(value, factor) for value in (middle, lower, upper))
    digits, kappa = _generate(middle, upper - 1, upper - lower - 2, -exponent)
    return digits, kappa - power


def _times(value: int, factor: int) -> int:
    return (value * factor + (1 << (_BITS - 1))) >> _BITS


def _cached_power(exponent: int) -> tuple[int, int, int]:
    """Returns the power of ten that scales numbers of this exponent close to the target."""
    index = math.ceil((_TARGET_EXPONENT - exponent) * _LOG10_OF_2 - _SMALLEST_POWER - 1)
    return _power_of_ten(_SMALLEST_POWER + _POWER_STEP * ((index >> 3) + 1))


@functools.cache
def _power_of_ten(power: int) -> tuple[int, int, int]:
    """Returns the power, its nearest 64-bit significand, and its binary exponent."""
    above, below = 10 ** max(power, 0), 10 ** max(-power, 0)
    exponent = above.bit_length() - below.bit_length() - _BITS
    # The estimate may be too small by one bit.
    if (above << max(-exponent, 0)) // (below << max(exponent, 0)) >= 1 << _BITS:
        exponent += 1
    above, below = above << max(-exponent, 0), below << max(exponent, 0)
    return power, (2 * above + below) // (2 * below), exponent


def _generate(middle: int, upper: int, width: int, point: int) -> tuple[str, int]:
    """Returns digits of a number between `upper - width` and `upper`, and the exponent of the last.

    Args:
        middle: The number itself.
        upper: The largest number that parses to the same double.
        width: Distance to the smallest such number.
        point: Number of bits after the binary point of all arguments.
    """
    whole, rest = upper >> point, upper & ((1 << point) - 1)
    distance = upper - middle
    for kappa in reversed(range(len(str(whole)))):
        left = ((whole % 10**kappa) << point) + rest
        if left <= width:
            return _rounded(whole // 10**kappa, width, left, 10**kappa << point, distance), kappa
    digits, kappa = whole, 0
    while True:
        rest, width, kappa = rest * 10, width * 10, kappa - 1
        digits = digits * 10 + (rest >> point)
        rest &= (1 << point) - 1
        if rest < width:
            nearer = distance * 10**-kappa if -kappa < _ROUNDED_DIGITS else 0
            return _rounded(digits, width, rest, 1 << point, nearer), kappa


def _rounded(digits: int, width: int, rest: int, unit: int, distance: int) -> str:
    """Decrements the last digit while that brings it nearer to the number."""
    while (
        rest < distance
        and width - rest >= unit
        and (rest + unit < distance or distance - rest > rest + unit - distance)
    ):
        digits -= 1
        rest += unit
    return str(digits)
