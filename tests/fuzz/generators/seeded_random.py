"""Random choices shared by all generators."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

LARGE_BYTES = 1 << 20
EDGES = (b"", b"\0", b"\0\0\0", b"a\0", b"\0a", b"a\0b\0\0", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80")


class SeededRandom(random.Random):
    """A random number generator with further kinds of choices."""

    def one_in(self, count: int) -> bool:
        return self.randrange(count) == 0

    def weighted(self, weights: Mapping[T, int]) -> T:
        return self.choices(list(weights), list(weights.values()))[0]

    def some(self, items: Sequence[T], most: int = 3) -> list[T]:
        """Returns up to `most` of the items, in any order, possibly repeated."""
        return [self.choice(items) for _ in range(self.randint(0, most))]

    def bytes_value(self) -> bytes:
        """Returns random bytes, often with NULs or invalid as UTF-8."""
        if self.one_in(1500):
            return self.randbytes(LARGE_BYTES)
        size = self.weighted({0: 1, 1: 2, 6: 4, 40: 2, 400: 1})
        return self.weighted(
            {
                self.choice(EDGES): 4,
                self.randbytes(size): 3,
                self.randbytes(size) + b"\0": 2,
                self.text_value().encode("utf-8"): 4,
                b"%d+%d" % (self.randrange(100), self.randrange(100)): 4,
            }
        )

    def text_value(self) -> str:
        """Returns random Unicode text without surrogates."""
        pool = 'ab1+ "\\/\n\t\x01\x7fä€ﬁ中😀\u202e\u2028\x00'
        return "".join(self.choice(pool) for _ in range(self.choice((0, 1, 3, 8, 30))))
