"""Floats of 8 and 16 bits that `struct` and numpy lack: bfloat16 and two kinds of float8."""

from __future__ import annotations

import math
import struct
from bisect import bisect_left
from functools import cache

from seq2sum._dtypes import BFLOAT16, FLOAT8_E4M3FN

INFINITE = 0x7F80
"""Bits of the bfloat16 infinity, without the sign."""


def widened(name: str, content: bytes) -> bytes:
    """Returns the float32 values that equal these values, as little-endian bytes.

    Args:
        name: The dtype: `DT_BFLOAT16`, `DT_FLOAT8_E5M2` or `DT_FLOAT8_E4M3FN`.
        content: The values' little-endian bytes.
    """
    if name != BFLOAT16:
        return struct.pack(f"<{len(content)}f", *map(_float8_values(name).__getitem__, content))
    wide = bytearray(2 * len(content))
    wide[2::4], wide[3::4] = content[::2], content[1::2]
    return bytes(wide)


def narrowed(name: str, values: list[float]) -> bytes:
    """Returns the nearest values of a dtype; ties go to the even one, as TensorFlow rounds.

    Raises:
        OverflowError: A number is too large for the dtype.
    """
    if name != BFLOAT16:
        return bytes([_float8(name, value) for value in values])
    floats = struct.pack(f"<{len(values)}f", *values)
    return struct.pack(
        f"<{len(values)}H", *map(_bfloat16, struct.unpack(f"<{len(values)}I", floats))
    )


def _bfloat16(bits: int) -> int:
    """Returns the bits of the bfloat16 nearest to a float32."""
    upper, magnitude = bits >> 16, bits & 0x7FFFFFFF
    if magnitude > INFINITE << 16:  # NaN, which rounding could make infinite
        return upper | 0x40
    nearest = (bits + 0x7FFF + (upper & 1)) >> 16
    if nearest & 0x7FFF == INFINITE != upper & 0x7FFF:
        raise OverflowError("too large for bfloat16")
    return nearest


def _float8(name: str, value: float) -> int:
    """Returns the byte of the float8 nearest to a number."""
    value = float(value)
    values, finite = _float8_values(name), _finite_codes(name)
    sign = 0x80 if math.copysign(1, value) < 0 else 0
    size = abs(value)
    if math.isnan(value):
        return sign | (0x7F if name == FLOAT8_E4M3FN else 0x7E)
    if math.isinf(value) and name != FLOAT8_E4M3FN:
        return sign | finite
    code = bisect_left(values, size, 0, finite)
    if code == finite:  # above the largest number: half of a step is rounded down
        largest, step = values[finite - 1], values[finite - 1] - values[finite - 2]
        if size > largest + step / 2 or (size == largest + step / 2 and (finite - 1) % 2):
            raise OverflowError(f"too large for {name}")
        return sign | (finite - 1)
    if code and values[code] != size:
        below, above = size - values[code - 1], values[code] - size
        if below < above or (below == above and (code - 1) % 2 == 0):
            code -= 1
    return sign | code


@cache
def _float8_values(name: str) -> list[float]:
    """Returns the value of each of the 256 bytes."""
    mantissa_bits, bias = (3, 7) if name == FLOAT8_E4M3FN else (2, 15)
    scale = 1 << mantissa_bits
    positive = []
    for code in range(128):
        exponent, mantissa = code >> mantissa_bits, code & (scale - 1)
        if name == FLOAT8_E4M3FN and code == 0x7F:
            positive.append(math.nan)  # it has no infinity
        elif name != FLOAT8_E4M3FN and exponent == 31:
            positive.append(math.nan if mantissa else math.inf)
        elif exponent:
            positive.append((1 + mantissa / scale) * 2.0 ** (exponent - bias))
        else:
            positive.append(mantissa / scale * 2.0 ** (1 - bias))
    return positive + [-value for value in positive]


def _finite_codes(name: str) -> int:
    """Returns how many of the non-negative bytes are finite numbers; the infinity is the next."""
    return 0x7F if name == FLOAT8_E4M3FN else 0x7C
