"""Pictures of a run, as SVG text for embedding in a page."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from itertools import cycle, pairwise
from typing import Any, ParamSpec

import numpy as np
from matplotlib import rc_context
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from seq2sum_training.fit.history import HistoryRow

INK, PAPER, BLUE, RED = "#22303c", "#ffffff", "#1f6f8b", "#c8553d"
COLOURS = (BLUE, RED, "#8a9a5b", "#7d5ba6", "#b0893b")
HEAT = LinearSegmentedColormap.from_list("errors", ["#eef3f5", "#f2c14e", RED, "#6b1d0f"])
CELLS = 100
"""Cells per side of the error map; with three digits, each has 10 x 10 questions."""
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    # Text is not converted to paths, and equal figures give equal bytes.
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
            draw(*args, **kwargs).savefig(
                text, format="svg", metadata={"Date": None, "Creator": None}
            )
        svg = text.getvalue()
        return svg[svg.index("<svg") :]

    return render


@as_svg
def learning_curves(histories: Sequence[tuple[str, Sequence[HistoryRow]]]) -> Figure:
    """Plots loss and exact match on the probe against CPU-seconds, a line for each run."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    loss, exact = figure.subplots(1, 2)
    for colour, (name, rows) in zip(cycle(COLOURS), histories, strict=False):
        seconds = [row.cpu_seconds for row in rows]
        loss.plot(seconds, [row.loss for row in rows], color=colour, label=name)
        exact.plot(seconds, [row.exact for row in rows], color=colour, label=name)
        for previous, row in pairwise(rows):
            if row.stage != previous.stage:
                for axes in (loss, exact):
                    axes.axvline(previous.cpu_seconds, color=colour, linewidth=0.5, linestyle=":")
    loss.set(title="Loss (cross-entropy per character)", xlabel="CPU-seconds", yscale="log")
    exact.set(title="Exact match on the probe", xlabel="CPU-seconds", ylim=(-0.02, 1.02))
    for axes in (loss, exact):
        axes.set_xlim(0, None)
    exact.yaxis.set_major_formatter(PercentFormatter(1))
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
    bar = figure.colorbar(image, ax=axes, label=f"wrong of {(size // cells) ** 2:,} per cell")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set(title=f"{len(pairs):,} wrong of {size * size:,}", xlabel="a", ylabel="b")
    if len(pairs) == 0:
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
    for row, part in zip(rows, share, strict=True):
        text = f"{row['errors']:,}" if row["questions"] else "–"
        colour = PAPER if part > 0.6 * share.max() > 0 else INK
        axes.text(row["first"], row["second"], text, ha="center", va="center", color=colour, size=8)
    ticks = range(1, digits + 1)
    axes.set(title="Errors by length", xlabel="digits of a", ylabel="digits of b")
    axes.set(xticks=ticks, yticks=ticks)
    return figure


@as_svg
def carries_bars(rows: Sequence[Mapping[str, int]]) -> Figure:
    """Plots the share of wrong answers by the number of carries in the sum."""
    figure = Figure(figsize=(1.8 + 0.7 * len(rows), 3.2), layout="constrained")
    axes = figure.subplots()
    share = [row["errors"] / max(1, row["questions"]) for row in rows]
    bars = axes.bar([str(row["carries"]) for row in rows], share, color=BLUE)
    axes.bar_label(bars, [f"{row['errors']:,}" for row in rows], padding=2)
    axes.set(title="Errors by number of carries", xlabel="carries", ylabel="wrong")
    axes.set_ylim(0, max(share) * 1.2 or 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


@as_svg
def calibration(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Plots exact match against confidence, and the number of questions by confidence."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    accuracy, counts = figure.subplots(1, 2)
    filled = [row for row in rows if row["questions"]]
    confidence = [row["mean_confidence"] for row in filled]
    right = [1 - row["errors"] / row["questions"] for row in filled]
    accuracy.plot(
        [0, 1], [0, 1], color=INK, linewidth=0.7, linestyle=":", label="perfectly calibrated"
    )
    accuracy.plot(confidence, right, "o-", color=BLUE, label="measured")
    accuracy.set(title="Calibration", xlabel="mean confidence", ylabel="exact match")
    accuracy.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.05))
    accuracy.legend(frameon=False, loc="lower right")
    names = [f"{row['from']:g} to {row['to']:g}" for row in rows]
    bars = counts.barh(names, [max(row["questions"], 0.5) for row in rows], color=BLUE)
    counts.bar_label(bars, [f"{row['questions']:,}" for row in rows], padding=2)
    counts.set(title="Questions by confidence", xscale="log")
    counts.set_xlim(0.5, 30 * max(row["questions"] for row in rows))
    return figure
