"""Pictures of a run, as SVG text for embedding in a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, pairwise
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter

from seq2sum_training.evaluate.picture_style import BLUE, COLOURS, GREY, RED, as_svg
from seq2sum_training.fit.history import HistoryRow

HEAT = LinearSegmentedColormap.from_list(
    "errors", [(0, to_rgba(RED, 0)), (0.005, to_rgba(RED, 0.25)), (1, to_rgba(RED, 0.75))]
)
"""From nothing to red: the background shows through, light or dark, and texts can be read."""
CELLS = 100
"""Cells per side of the error map; with three digits, each has 10 x 10 questions."""
SIZE = (8.6, 3.3)
"""Inches of a picture with two charts."""


@as_svg
def learning_curves(histories: Sequence[tuple[str, Sequence[HistoryRow]]]) -> Figure:
    """Plots loss and exact match on the probe against CPU-seconds, a line for each run."""
    figure = Figure(figsize=SIZE, layout="constrained")
    loss, exact = figure.subplots(1, 2)
    for colour, (name, rows) in zip(cycle(COLOURS), histories, strict=False):
        seconds = [row.cpu_seconds for row in rows]
        loss.plot(seconds, [row.loss for row in rows], color=colour, label=name)
        exact.plot(seconds, [row.exact for row in rows], color=colour, label=name)
        for previous, row in pairwise(rows):
            if row.stage != previous.stage:
                for axes in (loss, exact):
                    axes.axvline(previous.cpu_seconds, color=colour, linewidth=0.5, linestyle=":")
    loss.set(title="Cross-entropy per character (logarithmic)", yscale="log")
    loss.yaxis.set_major_formatter("{x:g}")
    loss.yaxis.set_minor_locator(NullLocator())
    exact.set(title="Exact match on some training questions", ylim=(-0.02, 1.02))
    exact.yaxis.set_major_formatter(PercentFormatter(1))
    for axes in (loss, exact):
        axes.set(xlabel="CPU-seconds of training", xlim=(0, None))
        _add_grid(axes, "y")
    if len(histories) > 1:
        loss.legend(frameon=False)
    return figure


@as_svg
def error_map(wrong: Sequence[tuple[int, int]], *, digits: int) -> Figure:
    """Plots the square of all pairs, with the share of wrong answers in each cell."""
    size = 10**digits
    cells = min(CELLS, size)
    pairs = np.array(wrong, np.int64).reshape(-1, 2)
    counts, _, _ = np.histogram2d(pairs[:, 0], pairs[:, 1], bins=cells, range=[[0, size]] * 2)
    figure = Figure(figsize=(5.2, 4.4), layout="constrained")
    axes = figure.subplots()
    share = counts.T / (size / cells) ** 2
    image = axes.imshow(
        share, origin="lower", extent=(0, size, 0, size), cmap=HEAT, vmin=0, vmax=share.max() or 1
    )
    axes.set(title=f"{len(pairs):,} wrong of {size * size:,} sums")
    axes.set(xlabel="first number", ylabel="second number")
    if len(pairs):
        label = f"wrong of the {(size // cells) ** 2:,} sums in a cell"
        bar = figure.colorbar(image, ax=axes, label=label)
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1))
    else:
        axes.text(size / 2, size / 2, "no errors", ha="center", va="center", fontsize=16)
    return figure


@as_svg
def lengths_map(rows: Sequence[Mapping[str, int]], *, digits: int) -> Figure:
    """Plots errors by the lengths of both operands."""
    figure = Figure(figsize=(1.6 + 0.75 * digits, 1.2 + 0.55 * digits), layout="constrained")
    axes = figure.subplots()
    share = np.array([row["errors"] / max(1, row["questions"]) for row in rows])
    axes.imshow(
        share.reshape(digits, digits).T,
        origin="lower",
        cmap=HEAT,
        vmin=0,
        vmax=share.max() or 1,
        aspect="auto",
        extent=(0.5, digits + 0.5, 0.5, digits + 0.5),
    )
    for row in rows:
        text = f"{row['errors']:,}" if row["questions"] else "–"
        axes.text(row["first"], row["second"], text, ha="center", va="center", size=8)
    ticks = range(1, digits + 1)
    axes.set(title="Wrong answers by digits", xticks=ticks, yticks=ticks)
    axes.set(xlabel="digits of the first number", ylabel="digits of the second")
    return figure


@as_svg
def carries_bars(rows: Sequence[Mapping[str, int]]) -> Figure:
    """Plots the share of wrong answers by the number of carries in the sum."""
    figure = Figure(figsize=(1.8 + 0.7 * len(rows), 3.2), layout="constrained")
    axes = figure.subplots()
    share = [row["errors"] / max(1, row["questions"]) for row in rows]
    bars = axes.bar([str(row["carries"]) for row in rows], share, color=BLUE)
    axes.bar_label(bars, [f"{row['errors']:,}" for row in rows], padding=2)
    axes.set(title="Wrong answers by carries", xlabel="carries in the sum", ylabel="wrong answers")
    axes.set_ylim(0, max(share) * 1.2 or 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


@as_svg
def calibration(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Plots exact match against confidence, and the number of questions by confidence."""
    figure = Figure(figsize=SIZE, layout="constrained")
    accuracy, counts = figure.subplots(1, 2)
    filled = [row for row in rows if row["questions"]]
    confidence = [row["mean_confidence"] for row in filled]
    right = [1 - row["errors"] / row["questions"] for row in filled]
    accuracy.plot(
        [0, 1], [0, 1], color=GREY, linewidth=0.7, linestyle=":", label="perfectly calibrated"
    )
    accuracy.plot(confidence, right, "o-", color=BLUE, label="measured")
    accuracy.set(title="Exact match by confidence", xlabel="mean confidence")
    accuracy.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
    for axis in (accuracy.xaxis, accuracy.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    _add_grid(accuracy, "both")
    accuracy.legend(frameon=False, loc="lower right")
    names = [f"{100 * row['from']:g} to {100 * row['to']:g} %" for row in rows]
    bars = counts.barh(names, [max(row["questions"], 0.5) for row in rows], color=BLUE)
    counts.bar_label(bars, [f"{row['questions']:,}" for row in rows], padding=2)
    counts.set(title="Questions by confidence (logarithmic)", xscale="log", xticks=())
    counts.xaxis.set_minor_locator(NullLocator())
    counts.set_xlim(0.5, 30 * max(row["questions"] for row in rows))
    return figure


def _add_grid(axes: Axes, axis: Literal["both", "y"]) -> None:
    axes.grid(axis=axis)
    axes.tick_params(which="both", length=0)
