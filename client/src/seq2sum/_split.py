"""Traffic between versions by weight: the same caller always on the same side."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Collection, Mapping

from seq2sum import model_versions
from seq2sum._numbers import plain, whole


class Split:
    """Shares traffic between labels or versions, by weight.

    A key (a user, a session) always gets the same side while the weights stay. When a weight
    grows, keys move to that side only, and as few as can be: each side draws a number from the
    key, and the best draw for its weight wins (weighted rendezvous hashing: Thaler and
    Ravishankar 1998; weights by Schindelhauer and Schomaker 2005).

    Args:
        weights: Weights by label (text) or version (number).
        labels: Weights by label.

    Raises:
        ValueError: No weight is above zero, or one is below, or their sum is not finite.

    Example:
        seq2sum.Split(stable=95, canary=5)
        seq2sum.Split({3: 95, 4: 5})
    """

    __slots__ = ("_order", "weights")

    def __init__(
        self, weights: Mapping[str | int, float] | None = None, /, **labels: float
    ) -> None:
        given = dict(weights or {}) | labels
        self.weights: dict[str | int, float] = {
            _side(side): plain(f"weight of {side!r}", weight, "a number")
            for side, weight in given.items()
        }
        if not _sound(self.weights.values()):
            raise ValueError(f"weights are 0 or more, finite, and not {dict(self.weights)}")
        if not any(self.weights.values()):
            raise ValueError("a split needs a side with a weight above 0")
        self._order = [side for side, weight in self.weights.items() if weight]

    def __repr__(self) -> str:
        """The weights."""
        return f"Split({dict(self.weights)!r})"

    def side(self, key: str | bytes | None = None) -> str | int:
        """The label or version for this key; without a key, one at random."""
        if key is not None and not isinstance(key, str | bytes):
            raise TypeError(f"invalid key {key!r}: expected str or bytes")
        if key is None:
            return random.choices(self._order, [self.weights[side] for side in self._order])[0]
        return max(self._order, key=lambda side: self._draw(side, key))

    def _draw(self, side: str | int, key: str | bytes) -> float:
        """Exponentially distributed with the weight as its rate, and turned round."""
        raw = key.encode(errors="surrogatepass") if isinstance(key, str) else key
        digest = hashlib.blake2b(raw, digest_size=8, person=_person(side)).digest()
        uniform = (int.from_bytes(digest, "big") + 0.5) / 2**64
        return self.weights[side] / -math.log(uniform)


def _side(side: str | int) -> str | int:
    if isinstance(side, str):
        return side
    return whole("version", side, least=0, most=model_versions.LARGEST_VERSION)


def side_named(name: str) -> str | int:
    """The side that a text stands for: digits are a version, anything else is a label.

    Raises:
        ValueError: It is neither.
    """
    if name.isascii() and name.isdigit():
        version = model_versions.version_number(name)
        if version is None:
            raise ValueError(f"{name} is not a version: it does not fit into 64 bits")
        return version
    if not name or not name.isprintable():
        raise ValueError(f"{name!r} is not a label")
    return name


def _sound(weights: Collection[float]) -> bool:
    """Whether one can draw by these weights, their sum included."""
    try:
        return all(weight >= 0 for weight in weights) and math.isfinite(sum(weights))
    except OverflowError:  # a whole number that no float can hold
        return False


def _person(side: str | int) -> bytes:
    """Tells the sides' draws apart: BLAKE2 takes 16 bytes for that."""
    kind = b"version" if isinstance(side, int) else b"label"
    return hashlib.blake2b(kind + b" " + str(side).encode(), digest_size=16).digest()
