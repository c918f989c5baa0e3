"""Traffic splits between labels, versions or targets, by weight; a key always gets the same one."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Collection, Mapping

from seq2sum import _target, model_versions
from seq2sum._numbers import integer, to_python


class Split:
    """Splits traffic between variants (labels, versions or targets), by weight.

    A key (a user, a session) always gets the same variant while the weights stay the same. When a
    weight grows, the fewest possible keys move, and only to that variant (weighted rendezvous
    hashing: Thaler and Ravishankar 1998; weights by Schindelhauer and Schomaker 2005).

    A name with a colon is a target: `HOST:PORT`, or any other target that a client accepts. Calls
    to it go through a separate channel of the same client, and to the latest version there. A label
    whose name has a colon cannot be a variant; name it in the call.

    Args:
        weights: Weights by label or target (text), or by version (number).
        labels: Weights by label.

    Raises:
        ValueError: No weight is above zero, or one is negative, or their sum is not finite; or a
            target is not valid.
        TypeError: A weight is not a number.

    For example:

        seq2sum.Split(stable=95, canary=5)
        seq2sum.Split({3: 95, 4: 5})
        seq2sum.Split({"stable.example:8500": 95, "candidate.example:8500": 5})
    """

    __slots__ = ("_variants", "weights")

    def __init__(
        self, weights: Mapping[str | int, float] | None = None, /, **labels: float
    ) -> None:
        all_weights = dict(weights or {}) | labels
        self.weights: dict[str | int, float] = {
            _checked_variant(each): to_python("weight", weight, "a number", of=f" of {each!r}")
            for each, weight in all_weights.items()
        }
        if not _are_valid(self.weights.values()):
            raise ValueError(
                f"invalid weights {dict(self.weights)}: expected finite numbers, 0 or more"
            )
        if not any(self.weights.values()):
            raise ValueError("a split needs at least one weight above 0")
        self._variants = [variant for variant, weight in self.weights.items() if weight]

    def __repr__(self) -> str:
        """The weights."""
        return f"Split({dict(self.weights)!r})"

    @property
    def current(self) -> Split:
        """The split itself: unlike those of a `SplitFile`, its weights never change."""
        return self

    def choose(self, key: str | bytes | None = None) -> str | int:
        """Returns the label, version or target for this key; without a key, a random one."""
        if key is not None and not isinstance(key, str | bytes):
            raise TypeError(f"invalid key {key!r}: expected str or bytes")
        if key is None:
            weights = [self.weights[variant] for variant in self._variants]
            return random.choices(self._variants, weights)[0]
        return max(self._variants, key=lambda variant: self._score(variant, key))

    def _score(self, variant: str | int, key: str | bytes) -> float:
        """Returns the reciprocal of an exponential variate whose rate is the weight."""
        raw = key.encode(errors="surrogatepass") if isinstance(key, str) else key
        digest = hashlib.blake2b(raw, digest_size=8, person=_person(variant)).digest()
        uniform = (int.from_bytes(digest, "big") + 0.5) / 2**64
        return self.weights[variant] / -math.log(uniform)


def is_target(variant: str | int) -> bool:
    """Returns whether a variant is a target: labels of a split have no colon."""
    return isinstance(variant, str) and ":" in variant


def _checked_variant(variant: str | int) -> str | int:
    if is_target(variant):
        return _checked_target(str(variant))
    if isinstance(variant, str):
        if not variant:
            raise ValueError("invalid label '': expected a name")
        return variant
    return integer("version", variant, least=0, most=model_versions.LARGEST_VERSION)


def _checked_target(name: str) -> str:
    try:
        _target.address(name)
    except ValueError as error:
        raise ValueError(
            f"{error}; in a split, a name with a colon is a target, and not a label"
        ) from error
    return name


def parse_variant(name: str) -> str | int:
    """Returns the variant that a text names: digits are a version, a colon makes it a target.

    Raises:
        ValueError: The text is not a version, label or target.
    """
    if name.isascii() and name.isdigit():
        version = model_versions.version_number(name)
        if version is None:
            raise ValueError(f"invalid version {name}: it does not fit into 64 bits")
        return version
    if not name or not name.isprintable():
        raise ValueError(f"invalid label {name!r}: expected printable text")
    return _checked_target(name) if is_target(name) else name


def _are_valid(weights: Collection[float]) -> bool:
    """Returns whether the weights and their sum are finite and not negative."""
    try:
        return all(weight >= 0 for weight in weights) and math.isfinite(sum(weights))
    except OverflowError:  # an integer that is too large for a float
        return False


def _person(variant: str | int) -> bytes:
    """Returns the 16 bytes that personalise BLAKE2 for a variant."""
    kind = "version" if isinstance(variant, int) else "target" if is_target(variant) else "label"
    return hashlib.blake2b(f"{kind} {variant}".encode(), digest_size=16).digest()
