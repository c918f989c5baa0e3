"""Elements of all pictures: size, titles, labels next to what they name, and plain numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator
from seq2sum_training.evaluate.picture_style import BLUE, GREY, INK, ORANGE

WIDTH = 8.65
"""Inches: 830 CSS pixels, the width of a README."""
NETWORKS = {"default": BLUE, "fast": ORANGE}
"""The colour of each recipe's network."""
BASELINE = GREY
"""The colour of the implementations that ours are compared with."""


def new_figure(title: str, note: str = "", *, height: float) -> Figure:
    """Returns an empty figure.

    Args:
        title: The finding.
        note: Conditions, below the charts.
        height: In inches.
    """
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    if note:
        figure.supxlabel(note, x=0.01, ha="left", fontsize=8.5, color=GREY)
    return figure


def label(
    axes: Axes,
    text: str,
    x: Any,
    y: Any,
    *,
    colour: str = INK,
    right: float = 5,
    up: float = 0,
    **style: Any,
) -> None:
    """Writes a text next to a point; `right` and `up` are its distance, in points."""
    style = {"ha": "left" if right >= 0 else "right", "va": "center", "fontsize": 9} | style
    axes.annotate(
        text,
        (x, y),
        xytext=(right, up),
        textcoords="offset points",
        color=colour,
        annotation_clip=False,
        **style,
    )


def plain(value: float) -> str:
    """Formats a number as people write it: `0.5`, `1,000`, `2 million`."""
    if value >= 1e6:
        return f"{value / 1e6:g} million"
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def short(value: float) -> str:
    """Formats with three significant digits, from 100 on as an integer."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def times(ratio: float) -> str:
    """Formats a ratio: `1.4 ×`."""
    return f"{ratio:,.0f} ×" if ratio >= 10 else f"{ratio:.1f} ×"


def span(values: Iterable[float]) -> str:
    """Formats the smallest and the largest of some ratios: `1.4 to 12 ×`."""
    texts = [times(each) for each in values]
    low, high = min(texts, key=_size), max(texts, key=_size)
    return low if low == high else f"{low.removesuffix(' ×')} to {high}"


def _size(text: str) -> float:
    return float(text.removesuffix(" ×").replace(",", ""))


def load_text(rows: int, callers: int) -> str:
    """Describes a load by the questions in a call and the concurrent callers."""
    return f"{plain(rows)} per call, {callers} caller{'s' if callers > 1 else ''}"


def logarithmic(axis: Axis, ticks: Sequence[float] = ()) -> None:
    """Makes an axis logarithmic, with plain numbers at powers of ten or at the given values."""
    axis._set_axes_scale("log")  # type: ignore[attr-defined]
    if ticks:
        axis.set_ticks(ticks)
    axis.set_major_formatter(lambda value, _: plain(value))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def frame(axes: Axes, *, grid: str = "y") -> None:
    """Draws grid lines across one axis, and leaves out tick marks."""
    axes.grid(axis=grid)  # type: ignore[arg-type]
    axes.tick_params(which="both", length=0)
    for side in ("left", "bottom") if grid == "both" else ("left",) if grid == "y" else ("bottom",):
        axes.spines[side].set_visible(False)
