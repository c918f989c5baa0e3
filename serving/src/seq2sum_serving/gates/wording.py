"""How gates word what they found: one line, figures a person can read at a glance."""

from __future__ import annotations

LONGEST = 200
"""Characters of a text that comes from elsewhere: a server's error, an answer."""


def one_line(text: str, *, longest: int = LONGEST) -> str:
    """A text from elsewhere without line breaks or control characters, and not too long."""
    line = " ".join(text.split())
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."


def percent(share: float) -> str:
    """A share, to the digit that tells it from its neighbours: `99.9 %`."""
    return f"{100 * share:.6g} %"


def milliseconds(seconds: float) -> str:
    """`3.42`, without the unit."""
    return f"{1000 * seconds:.3g}" if seconds < 0.1 else f"{1000 * seconds:,.0f}"


def megabytes(number: float) -> str:
    """Bytes, as `1,234 MB`."""
    return f"{number / 1e6:,.0f} MB"


def times(value: float) -> str:
    """`2.4 times`."""
    return f"{value:.3g} times"


def number(count: float) -> str:
    """A count that may be an estimate: `1,060`, `2.5`."""
    return f"{count:,.0f}" if count >= 100 or count == int(count) else f"{count:.2g}"


def sentence(*parts: str) -> str:
    """The parts that say something, as sentences in one line."""
    said = [part for part in parts if part]
    return ". ".join(part[0].upper() + part[1:] for part in said)
