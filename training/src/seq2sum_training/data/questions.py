"""The problem space: pairs of operands, their questions and sums, and which are held out.

    pair        question    sum
    53, 42      b"53+42"    b"95"
    7, 0        b"7+0"      b"7"

The space is enumerated, never sampled with rejection: `every_pair(3)` is all 1,000,000
ordered pairs. The split is by unordered pair and by hash, so that `a+b` and `b+a` fall on
the same side, and so that it is the same one in every run, whatever its seed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
"""Operands or sums, shape [n]."""
Texts = NDArray[np.bytes_]
"""Byte strings of a fixed width, shape [n]; NUL-padded in memory, not in value."""
Mask = NDArray[np.bool_]
"""One bool a row, shape [n]."""

HASH_RANGE = 1 << 20


def every_pair(digits: int) -> tuple[Numbers, Numbers]:
    """All ordered pairs of numbers of up to `digits` digits, two arrays of shape [100**digits]."""
    size = 10**digits
    first, second = np.divmod(np.arange(size * size, dtype=np.int64), size)
    return first, second


def questions(first: Numbers, second: Numbers) -> Texts:
    """The questions of these pairs, as people write them."""
    return np.array([f"{a}+{b}" for a, b in zip(first.tolist(), second.tolist(), strict=True)], "S")


def sums(first: Numbers, second: Numbers) -> Texts:
    """The true answers of these pairs."""
    return np.array([str(total) for total in (first + second).tolist()], "S")


def held_out(first: Numbers, second: Numbers, *, share: float) -> Mask:
    """Which pairs are never trained on: about `share` of the unordered ones, by hash."""
    low, high = (part.astype(np.uint64) for part in _in_order(first, second))
    # Wraps around for long operands, as hashes do.
    return _mix(low * np.uint64(1_000_000_007) + high) % HASH_RANGE < round(share * HASH_RANGE)


def unordered(first: Numbers, second: Numbers) -> Numbers:
    """One number for each unordered pair of operands below 2**31, equal for a+b and b+a."""
    low, high = _in_order(first, second)
    return low << 32 | high


def _in_order(first: Numbers, second: Numbers) -> tuple[Numbers, Numbers]:
    return np.minimum(first, second), np.maximum(first, second)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): each input bit moves all outputs."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
