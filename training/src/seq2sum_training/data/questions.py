"""The problem space: pairs of operands, their questions and sums, and the held-out pairs.

    pair        question    sum
    53, 42      b"53+42"    b"95"
    7, 0        b"7+0"      b"7"

The split is by a hash of the unordered pair, so that `a+b` and `b+a` are on the same side, and the
held-out pairs are the same in every run, independent of its seed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
"""Operands or sums, shape [n]."""
Texts = NDArray[np.bytes_]
"""Byte strings of a fixed width, padded with NUL in memory, shape [n]."""
Mask = NDArray[np.bool_]
"""Bools, shape [n]."""

HASH_RANGE = 1 << 20


def all_pairs(digits: int) -> tuple[Numbers, Numbers]:
    """Returns all ordered pairs of operands of up to `digits` digits, [100**digits] each."""
    size = 10**digits
    first, second = np.divmod(np.arange(size * size, dtype=np.int64), size)
    return first, second


def questions(first: Numbers, second: Numbers) -> Texts:
    """Returns the questions of these pairs as text, without leading zeros."""
    return np.array([f"{a}+{b}" for a, b in zip(first.tolist(), second.tolist(), strict=True)], "S")


def sums(first: Numbers, second: Numbers) -> Texts:
    """Returns the true sums of these pairs as text."""
    return np.array([str(total) for total in (first + second).tolist()], "S")


def held_out(first: Numbers, second: Numbers, *, share: float) -> Mask:
    """Returns a mask of the held-out pairs: about `share` of the unordered pairs, by hash."""
    low, high = (part.astype(np.uint64) for part in _in_order(first, second))
    # Wraps around for long operands, which does no harm in a hash.
    return _mix(low * np.uint64(1_000_000_007) + high) % HASH_RANGE < round(share * HASH_RANGE)


def unordered(first: Numbers, second: Numbers) -> Numbers:
    """Returns one number per unordered pair of operands below 2**31, equal for a+b and b+a."""
    low, high = _in_order(first, second)
    return low << 32 | high


def _in_order(first: Numbers, second: Numbers) -> tuple[Numbers, Numbers]:
    return np.minimum(first, second), np.maximum(first, second)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mixes bits with the finalizer of SplitMix64 (Steele, Lea, Flood 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
