"""Formats numbers and sentences for the one-line message of a measurement."""

from __future__ import annotations


def percent(share: float) -> str:
    """Returns a share with six significant digits: `99.9 %`."""
    return f"{100 * share:.6g} %"


def milliseconds(seconds: float) -> str:
    """Returns a duration without its unit: `3.42`."""
    return f"{1000 * seconds:.3g}" if seconds < 0.1 else f"{1000 * seconds:,.0f}"


def megabytes(number: float) -> str:
    """Returns bytes as `1,234 MB`."""
    return f"{number / 1e6:,.0f} MB"


def times(value: float) -> str:
    """Returns a ratio as `2.4 times`."""
    return f"{value:.3g} times"


def number(count: float) -> str:
    """Returns a count, which may be an estimate: `1,060`, `2.5`."""
    return f"{count:,.0f}" if count >= 100 or count == int(count) else f"{count:.2g}"


def sentence(*parts: str) -> str:
    """Joins the parts that are not empty, as sentences, without a full stop at the end."""
    return ". ".join(part[0].upper() + part[1:] for part in parts if part)
