"""The style of all pictures: compact SVG text that follows the reader's light or dark theme.

Colours come in pairs. matplotlib draws with the light ones, and a style sheet in the SVG replaces
each by its dark one if the page around the picture is dark. Text stays text, in the reader's own
sans-serif font; it is laid out with the metrics of DejaVu Sans, which is wider than the usual ones.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from matplotlib import rc_context
from matplotlib.figure import Figure

INK, PAPER, GREY, GRID = "#1f2328", "#ffffff", "#59636e", "#d1d9e0"
BLUE, ORANGE, GREEN, PURPLE, RED = "#0969da", "#bc4c00", "#1a7f37", "#8250df", "#cf222e"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, GREY)
"""Colours of lines and bars in order; red stands for errors."""
DARK = {
    INK: "#f0f6fc",
    PAPER: "#0d1117",
    GREY: "#9198a1",
    GRID: "#3d444d",
    BLUE: "#4493f8",
    ORANGE: "#f0883e",
    GREEN: "#3fb950",
    PURPLE: "#ab7df8",
    RED: "#f85149",
}
"""The dark colour for each light one; both are from GitHub's themes."""
FONTS = "-apple-system, 'Segoe UI', Roboto, Helvetica, Arial, 'DejaVu Sans', sans-serif"
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    # So that equal figures give equal bytes, and text stays text.
    "svg.fonttype": "none",
    "svg.hashsalt": "seq2sum",
}

P = ParamSpec("P")


def as_svg(draw: Callable[P, Figure]) -> Callable[P, str]:
    """Decorates a function that returns a figure, so that it returns SVG text in our style."""

    @wraps(draw)
    def render(*args: P.args, **kwargs: P.kwargs) -> str:
        text = io.StringIO()
        with rc_context(STYLE):
            draw(*args, **kwargs).savefig(text, format="svg")
        return _compact(text.getvalue())

    return render


def _compact(svg: str) -> str:
    """Removes metadata and comments, shortens tags, and adds the style sheet."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]*>", lambda tag: _compact_tag(tag[0]), svg)
    svg = re.sub(r"\n\s*(\n|(?=<))", "\n", svg)
    return svg.replace("</style>", f"{_style_sheet()}</style>", 1)


def _compact_tag(tag: str) -> str:
    """Rounds numbers, and removes names of groups, fonts and line breaks from a tag."""
    tag = re.sub(r'^<g id="[^"]*"', "<g", " ".join(tag.split()))
    tag = tag.replace("'DejaVu Sans'", "inherit").replace("font-family: inherit; ", "")
    return re.sub(
        r"\d+\.\d+", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), tag
    )


def _style_sheet() -> str:
    dark = "".join(
        f'[style*="{kind}: {light}"] {{{kind}: {colour} !important}}\n'
        for light, colour in DARK.items()
        for kind in ("fill", "stroke")
    )
    return f"\ntext {{font-family: {FONTS}}}\n@media (prefers-color-scheme: dark) {{\n{dark}}}\n"
