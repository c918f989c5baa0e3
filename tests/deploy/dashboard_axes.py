"""What panels have in common: colours, axes, legends, and the marks of events."""

from __future__ import annotations

from deploy import dashboard_units as units
from deploy.dashboard_data import Filled, View
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

PALETTE = (
    *("#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9"),
    *("#1f8a70", "#8f3bb8", "#c4a000", "#3274d9", "#e0752d", "#705da0"),
)
"""For lines without a colour of their own, in turns."""
NAMED = {
    "green": "#56a64b",
    "yellow": "#e0b400",
    "orange": "#ff780a",
    "red": "#e02f44",
    "blue": "#3274d9",
    "purple": "#a352cc",
    "text": "#7b8087",
}
"""Grafana's names for colours that the dashboard uses."""
SMALL, TINY = 6.5, 5.5
"""Points."""
MOST_IN_LEGEND = 8
DASHES = (0, (4, 2))


def colours(filled: Filled) -> list[str]:
    """That of each line: its own, or the next of the palette."""
    free = iter(PALETTE * (1 + len(filled.lines) // len(PALETTE)))
    found = []
    for line in filled.lines:
        own = filled.overridden(line.name).get("color", {}).get("fixedColor")
        found.append(NAMED[own] if own else next(free))
    return found


def colour_of(filled: Filled, value: float) -> str:
    """That of the last threshold which a value has reached."""
    reached = [
        one["color"]
        for one in filled.defaults["thresholds"]["steps"]
        if one["value"] is None or value >= one["value"]
    ]
    return NAMED[reached[-1]]


def value_axis(axes: Axes, filled: Filled, own: dict[str, object] | None = None) -> None:
    """How far an axis goes, and how its numbers are written.

    Args:
        axes: With all lines drawn.
        filled: The panel.
        own: What is set for its lines alone.
    """
    told = {**filled.defaults, **(own or {})}
    if filled.defaults["custom"]["scaleDistribution"]["type"] == "log":
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        if told.get("min") is not None:
            axes.set_ylim(bottom=told["min"])
        if told.get("max") is not None:
            axes.set_ylim(top=told["max"] * 1.03)
        elif _nothing(filled):
            axes.set_ylim(top=1)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=told.get("decimals") == 0))
    axes.yaxis.set_major_formatter(FuncFormatter(units.writer(told["unit"])))
    axes.tick_params(labelsize=TINY, length=2, width=0.5, pad=1.5, which="both")


def thresholds(axes: Axes, filled: Filled) -> None:
    """Their lines, where the panel wants them."""
    if filled.defaults["custom"]["thresholdsStyle"]["mode"] != "line":
        return
    for one in filled.defaults["thresholds"]["steps"]:
        if one["value"] is not None and one["value"] <= axes.get_ylim()[1]:
            axes.axhline(one["value"], color=NAMED[one["color"]], linewidth=0.7, linestyle="--")


def time_axis(axes: Axes, view: View) -> None:
    """Seconds from the beginning, and the events."""
    axes.set_xlim(0, view.end - view.begin)
    axes.grid(alpha=0.25, linewidth=0.4)
    for mark in view.marks:
        at, colour = mark.at - view.begin, NAMED[mark.colour]
        axes.axvline(at, color=colour, linewidth=0.7, linestyle=DASHES, alpha=0.8)


def legend(axes: Axes, filled: Filled) -> None:
    """Below the drawing."""
    named = list(zip([line.name for line in filled.lines], colours(filled), strict=True))
    shown = named[:MOST_IN_LEGEND]
    axes.legend(
        [axes.plot([], [], color=colour, linewidth=2)[0] for _, colour in shown],
        [name for name, _ in shown],
        loc="upper left",
        bbox_to_anchor=(0, -0.1),
        ncols=3,
        frameon=False,
        fontsize=TINY,
        handlelength=1,
        columnspacing=1,
        borderpad=0,
        labelspacing=0.25,
    )


def _nothing(filled: Filled) -> bool:
    return all(value == 0 for line in filled.lines for _, value in line.series.points)
