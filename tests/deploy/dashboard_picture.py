"""A whole dashboard as one picture: its panels where Grafana would put them."""

from __future__ import annotations

import io

from deploy.dashboard_axes import NAMED, SMALL
from deploy.dashboard_data import View
from deploy.dashboard_drawing import drawn
from deploy.dashboard_schema import COLUMNS
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from seq2sum_training.pictures import INK, PAPER, STYLE

WIDTH = 16.0
UNIT = 0.24
"""Inches: of the whole, and of one step down of the grid."""
HEAD = 0.9
"""Inches above the first panel."""
DOTS = 110
"""An inch."""
COLOURS_KEPT = 200
GROUND, EDGE = "#f4f5f5", "#d8d9da"
MARGINS = {
    "stat": (0.05, 0.05, 0.05, 0.3),
    "timeseries": (0.5, 0.42, 0.32, 0.32),
    "heatmap": (0.55, 0.2, 0.1, 0.32),
    "state-timeline": (1.35, 0.2, 0.1, 0.32),
    "bargauge": (1.1, 0.1, 0.1, 0.35),
    "table": (0.1, 0.1, 0.1, 0.35),
}
"""Inches left, below, right, above of what is drawn, by the type of the panel."""
GAP = 0.04
"""Inches around a panel."""


def picture(view: View, note: str = "") -> bytes:
    """A PNG.

    Args:
        view: What is shown.
        note: A line below the title.
    """
    drawn, written = io.BytesIO(), io.BytesIO()
    with rc_context(STYLE):
        drawing(view, note).savefig(drawn, format="png", dpi=DOTS)
    # A third of the size, and nobody sees it.
    Image.open(drawn).convert("RGB").quantize(COLOURS_KEPT).save(written, "png", optimize=True)
    return written.getvalue()


def drawing(view: View, note: str) -> Figure:
    """The same as a figure of matplotlib."""
    places = [one.panel["gridPos"] for one in view.filled]
    height = HEAD + UNIT * max(place["y"] + place["h"] for place in places) + 0.1
    figure = Figure(figsize=(WIDTH, height), facecolor=GROUND)

    def inches(left: float, top: float, width: float, down: float) -> tuple[float, ...]:
        """A place on the paper, from its upper left corner, as shares of the whole."""
        return left / WIDTH, 1 - (top + down) / height, width / WIDTH, down / height

    def write(left: float, top: float, text: str, **how: object) -> None:
        figure.text(left / WIDTH, 1 - top / height, text, va="top", **how)

    write(0.12, 0.12, view.title, size=15, weight="bold")
    write(0.12, 0.5, note, size=SMALL + 2, color=NAMED["text"])
    _events(figure, view, height)
    for row in view.rows:
        write(0.12, HEAD + UNIT * row["gridPos"]["y"] + 0.05, row["title"], size=9.5, weight="bold")
    for filled in view.filled:
        place = filled.panel["gridPos"]
        left, width = (WIDTH * place[name] / COLUMNS for name in ("x", "w"))
        top, down = HEAD + UNIT * place["y"], UNIT * place["h"]
        corner_x, corner_y, *size = inches(left + GAP, top + GAP, width - 2 * GAP, down - 2 * GAP)
        figure.add_artist(
            Rectangle(
                (corner_x, corner_y),
                *size,
                facecolor=PAPER,
                edgecolor=EDGE,
                linewidth=0.6,
                transform=figure.transFigure,
                zorder=-1,
            )
        )
        write(left + 0.12, top + 0.1, filled.panel["title"], size=8, color=INK)
        west, south, east, north = MARGINS[filled.kind]
        axes = figure.add_axes(
            inches(left + west, top + north, width - west - east, down - north - south)
        )
        drawn(axes, filled, view)
    return figure


def _events(figure: Figure, view: View, height: float) -> None:
    """What the lines across all panels are: by number of seconds."""
    told = "  ·  ".join(f"{mark.at - view.begin:.0f} s {mark.name}" for mark in view.marks)
    figure.text(0.12 / WIDTH, 1 - 0.7 / height, told, va="top", size=SMALL + 1, color=INK)
