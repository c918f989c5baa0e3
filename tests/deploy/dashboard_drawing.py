"""Panels drawn as Grafana draws them, as far as matplotlib does: one function for each type."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from deploy import dashboard_units as units
from deploy.dashboard_axes import (
    NAMED,
    SMALL,
    TINY,
    colour_of,
    colours,
    legend,
    thresholds,
    time_axis,
    value_axis,
)
from deploy.dashboard_data import Filled, Shown, View
from matplotlib import colormaps
from matplotlib.axes import Axes
from seq2sum_training.pictures import INK

BLUES, PURPLES = colormaps["Blues"], colormaps["BuPu"]


def drawn(axes: Axes, filled: Filled, view: View) -> None:
    """One panel in its place."""
    if not filled.lines:
        axes.set_axis_off()
        nothing = filled.defaults.get("noValue", "No data")
        axes.text(0.5, 0.5, nothing, ha="center", va="center", size=9, color=NAMED["text"])
        return
    DRAWN[filled.kind](axes, filled, view)
    axes.tick_params(labelsize=TINY, length=2, width=0.5, pad=1.5)


def stat(axes: Axes, filled: Filled, _: View) -> None:
    """A number, in the colour of the step that it has reached."""
    axes.set_axis_off()
    values = [line.series.value for line in filled.lines]
    shown = " / ".join(
        units.text(value, filled.unit, filled.defaults.get("decimals")) for value in values
    )
    axes.text(
        0.5, 0.5, shown, ha="center", va="center", size=18, color=colour_of(filled, values[0])
    )


def timeseries(axes: Axes, filled: Filled, view: View) -> None:
    """Lines, areas on top of each other, or bars."""
    custom = filled.defaults["custom"]
    times = view.times()
    at = times - view.begin
    below = np.zeros(len(times))
    step = "post" if custom["lineInterpolation"] == "stepAfter" else None
    for line, colour in zip(filled.lines, colours(filled), strict=True):
        values, own = sampled(line, times), filled.overridden(line.name)
        if own.get("custom.axisPlacement") == "right":
            beside = axes.twinx()
            beside.plot(at, values, color=colour, linewidth=0.9)
            beside.spines[:].set_visible(False)
            value_axis(beside, filled, own)
        elif custom["stacking"]["mode"] == "normal":
            heights = np.nan_to_num(values)
            if custom["drawStyle"] == "bars":
                axes.bar(at, heights, view.every, bottom=below, color=colour)
            else:
                axes.fill_between(
                    at, below, below + heights, color=colour, alpha=0.75, step=step, linewidth=0
                )
            below = below + heights
        else:
            style = "steps-post" if step else "default"
            axes.plot(at, values, color=colour, linewidth=0.9, drawstyle=style)
            alone = single(values)  # between two gaps: no line shows it
            axes.plot(at[alone], values[alone], ".", color=colour, markersize=2.5)
    value_axis(axes, filled)
    thresholds(axes, filled)
    time_axis(axes, view)
    legend(axes, filled)


def heatmap(axes: Axes, filled: Filled, view: View) -> None:
    """How many calls fell between two limits, by time."""
    times = view.times()
    lines = sorted(filled.lines, key=lambda line: float(line.series.labels["le"]))
    limits = [float(line.series.labels["le"]) for line in lines]
    below = np.array([np.nan_to_num(sampled(line, times)) for line in lines])
    cells = np.diff(below, axis=0, prepend=0).clip(min=0)
    used = np.flatnonzero(cells.sum(axis=1) > 0)
    first, last = (max(used[0] - 1, 0), used[-1] + 1) if len(used) else (0, len(limits))
    cells, limits = cells[first:last], limits[first:last]
    shown = np.ma.masked_less_equal(np.sqrt(cells), 0)
    axes.pcolormesh(
        times - view.begin,
        np.arange(len(limits)),
        shown,
        cmap=BLUES,
        vmin=-0.3 * shown.max(),
        shading="nearest",
        rasterized=True,
    )
    every = max(1, math.ceil(len(limits) / 8))
    unit = filled.panel["options"]["yAxis"]["unit"]
    marked = range(0, len(limits), every)
    axes.set_yticks(
        [place + 0.5 for place in marked], [_limit(limits[place], unit) for place in marked]
    )
    time_axis(axes, view)


def state_timeline(axes: Axes, filled: Filled, view: View) -> None:
    """What something was, and when it changed."""
    mapped = {
        float(value): (told["text"], NAMED[told["color"]])
        for one in filled.defaults["mappings"]
        for value, told in one["options"].items()
    }
    values = [value for line in filled.lines for _, value in line.series.points]
    low, high = min(values), max(values)
    lines = sorted(filled.lines, key=lambda line: line.name)
    for place, line in enumerate(lines):
        for begin, end, value in runs(line, view.every):
            share = (value - low) / (high - low) if high > low else 0.0
            text, colour = mapped.get(value, (f"{value:g}", PURPLES(0.25 + 0.5 * share)))
            axes.barh(
                place, end - begin, 0.8, begin - view.begin, color=colour, alpha=0.8, linewidth=0
            )
            if (end - begin) / (view.end - view.begin) > 0.011 * len(text):
                axes.text(
                    (begin + end) / 2 - view.begin,
                    place,
                    text,
                    ha="center",
                    va="center",
                    size=TINY,
                    color=INK,
                )
    axes.set_yticks(range(len(lines)), [line.name for line in lines])
    axes.invert_yaxis()
    time_axis(axes, view)
    axes.grid(visible=False)


def bargauge(axes: Axes, filled: Filled, _: View) -> None:
    """A bar for each, from the top down."""
    lines = list(filled.lines)
    values = [line.series.value for line in lines]
    most = max(*values, 1e-9) if len(values) > 1 else values[0]
    axes.barh(
        range(len(lines)), values, 0.7, color=[BLUES(0.35 + 0.5 * value / most) for value in values]
    )
    for place, value in enumerate(values):
        shown = units.text(value, filled.unit, filled.defaults.get("decimals"))
        axes.text(value, place, f" {shown}", va="center", size=SMALL)
    axes.set_yticks(range(len(lines)), [line.name for line in lines])
    axes.set_xlim(0, most * 1.25)
    axes.set_xticks([])
    axes.invert_yaxis()
    axes.spines["bottom"].set_visible(False)


def table(axes: Axes, filled: Filled, _: View) -> None:
    """Rows of text, as the panel's transformation arranges them."""
    axes.set_axis_off()
    [organised] = filled.panel["transformations"]
    renamed = organised["options"]["renameByName"]
    label, value = renamed
    rows = [(renamed[label], renamed[value])]
    rows += [
        (line.series.labels[label], units.text(line.series.value, filled.unit))
        for line in filled.lines
    ]
    for place, row in enumerate(rows):
        for left, cell in zip((0.02, 0.45), row, strict=True):
            weight = "bold" if place == 0 else "normal"
            axes.text(left, 0.97 - place / 11, cell, va="top", size=SMALL + 0.5, weight=weight)


DRAWN: dict[str, Callable[[Axes, Filled, View], None]] = {
    "stat": stat,
    "timeseries": timeseries,
    "heatmap": heatmap,
    "state-timeline": state_timeline,
    "bargauge": bargauge,
    "table": table,
}


def sampled(line: Shown, times: np.ndarray) -> np.ndarray:
    """Its values at these times; none where it has none."""
    known = {round(at, 2): value for at, value in line.series.points}
    return np.array([known.get(round(at, 2), math.nan) for at in times])


def single(values: np.ndarray) -> np.ndarray:
    """Which values have none beside them."""
    padded = np.pad(~np.isnan(values), 1)
    return padded[1:-1] & ~padded[:-2] & ~padded[2:]


def runs(line: Shown, every: float) -> list[tuple[float, float, float]]:
    """From when to when it had the same value."""
    found: list[list[float]] = []
    for at, value in line.series.points:
        if found and found[-1][2] == value and at - found[-1][1] < 1e-3:
            found[-1][1] = at + every
        else:
            found.append([at, at + every, value])
    return [(begin, end, value) for begin, end, value in found]


def _limit(value: float, unit: str) -> str:
    return "+Inf" if math.isinf(value) else units.text(value, unit)
