"""Numbers as Grafana writes them, by the unit of a panel. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

SCALES = {
    "s": ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (60.0, "min"), (3600.0, "h")),
    "ms": ((1e-3, "µs"), (1.0, "ms"), (1e3, "s")),
    "µs": ((1.0, "µs"), (1e3, "ms"), (1e6, "s")),
}
"""How much of a unit its larger and smaller names are, rising."""
COUNTS = ((1.0, ""), (1e3, " K"), (1e6, " Mil"), (1e9, " Bil"))


def text(value: float, unit: str, decimals: int | None = None) -> str:
    """A number with its unit.

    Args:
        value: The number.
        unit: Grafana's name of the unit.
        decimals: Digits behind the point; None for as many as say something.
    """
    if unit == "percentunit":
        return f"{_digits(value * 100, decimals)}%"
    if unit == "dateTimeAsIso":
        return datetime.fromtimestamp(value / 1000, UTC).isoformat(" ", "seconds")[:19]
    if unit == "reqps":
        return f"{_scaled(value, COUNTS, decimals)} req/s"
    if unit == "short":
        return _scaled(value, COUNTS, decimals)
    if unit in SCALES:
        return _scaled(value, SCALES[unit], decimals, space=" ")
    if unit == "d":
        return f"{_digits(value, decimals)} d"
    return _digits(value, decimals)


def writer(unit: str, decimals: int | None = None) -> Callable[[float, int], str]:
    """What writes the numbers along an axis."""
    return lambda value, _: text(value, unit, decimals)


def _scaled(
    value: float, scale: tuple[tuple[float, str], ...], decimals: int | None, space: str = ""
) -> str:
    size, name = scale[0] if value else next(one for one in scale if one[0] == 1)
    for each, named in scale:
        if abs(value) >= each:
            size, name = each, named
    return f"{_digits(value / size, decimals)}{space}{name}"


def _digits(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:,.{decimals}f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
