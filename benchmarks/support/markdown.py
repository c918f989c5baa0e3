"""Markdown tables, and numbers formatted for them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns a table with these column heads."""
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join(lines)


def number(figure: float) -> str:
    """Formats with two significant digits, from 100 on as an integer."""
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.2g}"


def seconds(span: float) -> str:
    """Formats as seconds or milliseconds."""
    return f"{span:,.1f} s" if span >= 1 else f"{span * 1e3:,.3g} ms"


def bits_per_second(bits: float) -> str:
    """Formats with the fitting SI prefix."""
    power = min(3, int(math.log10(max(bits, 1)) // 3))
    return f"{bits / 1000**power:.3g} {('', 'k', 'M', 'G')[power]}bit/s"
