"""Tables and figures as Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with these columns."""
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join(lines)


def number(figure: float) -> str:
    """Two digits, or whole with separators."""
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.2g}"


def seconds(span: float) -> str:
    """With a fitting unit."""
    return f"{span:,.1f} s" if span >= 1 else f"{span * 1e3:,.3g} ms"


def bits_a_second(bits: float) -> str:
    """With a fitting unit."""
    power = min(3, int(math.log10(max(bits, 1)) // 3))
    return f"{bits / 1000**power:.3g} {('', 'k', 'M', 'G')[power]}bit/s"
