"""The picture of `make soak-balancing`: calls by server while servers come and go."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from seq2sum_training.evaluate.picture_style import COLOURS, INK, PAPER, RED, as_svg

from benchmarks.pictures.drawing import frame, label, new_figure


@as_svg
def picture(values: Any) -> Figure:
    """Draws calls per second by server, a chart for each balancer, with the changes marked."""
    runs = values["balancers"]
    lost = sum(run["failed"] for run in runs if "without" not in run["balancer"])
    calls = sum(run["calls"] for run in runs if "without" not in run["balancer"])
    figure = new_figure(
        f"With retries, {lost} of {calls:,} calls failed while servers were killed and added",
        "Three servers, for a while four, and their callers share two cores.",
        height=1.5 + 1.7 * len(runs),
    )
    rows = figure.subplots(len(runs), 1, sharex=True, squeeze=False)[:, 0]
    for axes, run in zip(rows, runs, strict=True):
        draw(axes, run)
    rows[-1].set_xlabel("seconds")
    return figure


def draw(axes: Axes, run: Any) -> None:
    """Draws one run: calls by server, and the changes."""
    servers = sorted({server for one in run["seconds"] for server in one})
    counts = {server: [one.get(server, 0) for one in run["seconds"]] for server in servers}
    time = range(len(run["seconds"]))
    axes.stackplot(time, *counts.values(), colors=COLOURS, linewidth=0)
    for server, rates in counts.items():
        present = [second for second in time if rates[second] > max(rates) / 2]
        at = 2 if present[0] == 0 else present[len(present) // 2]
        below = sum(counts[other][at] for other in servers if other < server)
        label(axes, f"server {server}", at, below + rates[at] / 2, colour=PAPER, right=0,
              ha="center", fontsize=8)  # fmt: skip
    failed = run["failed"]
    axes.set_title(
        f"Calls per second, {run['balancer']}: {failed:,} of {run['calls']:,} failed",
        pad=18,
        color=RED if failed else INK,
    )
    axes.set(ylim=(0, None), xlim=(0, len(time) - 1))
    for at, event in run["events"]:
        axes.axvline(at, color=INK, linewidth=0.8, linestyle=":")
        above = axes.get_xaxis_transform()
        axes.text(at, 1.02, f"server {event}", ha="center", va="bottom", size=8.5, transform=above)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    frame(axes)
