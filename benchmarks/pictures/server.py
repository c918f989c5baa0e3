"""The picture of `make bench-server`: the gRPC servers of seq2sum-serve under several loads."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from seq2sum_training.evaluate.picture_style import BLUE, GREEN, as_svg

from benchmarks.pictures.drawing import (
    BASELINE,
    frame,
    label,
    load_text,
    logarithmic,
    new_figure,
    span,
    times,
)

SERVERS = {
    "grpcio": (BASELINE, "grpcio's server"),
    "native": (BLUE, "the native one"),
    "other": (GREEN, "another server"),
}
"""Colour and label by name."""


@as_svg
def picture(values: Any) -> Figure:
    """Draws questions per second by load: a chart for each recipe, with and without batching."""
    rows = values["rows"]
    kinds = sorted({(row["recipe"], row["batching"]) for row in rows})
    ratios = span(ratio for kind in kinds for ratio in ratios_by_load(rows, kind).values())
    machine = values["machine"]
    figure = new_figure(
        f"The native gRPC server answers {ratios} the questions of grpcio's",
        f"seq2sum-serve on {machine['cpus']} cores of an {machine['processor']}; the load comes "
        "from h2load on the same cores.\nA load: questions per call, and concurrent callers.",
        height=1.3 + 2 * ((len(kinds) + 1) // 2),
    )
    charts = figure.subplots((len(kinds) + 1) // 2, 2, squeeze=False, sharey=True, sharex=True).flat
    for axes, kind in zip(charts, kinds, strict=False):
        draw(axes, rows, kind, named=kind == kinds[0])
    for axes in charts[-2:]:
        axes.set_xlabel("questions per second (logarithmic)")
    return figure


def ratios_by_load(rows: Any, kind: tuple[str, bool]) -> dict[tuple[int, int], float]:
    """Returns the throughput of the native server relative to grpcio's, by load."""
    rates = {
        (row["server"], row["rows"], row["callers"]): row["questions_per_second"]
        for row in rows
        if (row["recipe"], row["batching"]) == kind
    }
    return {
        (size, callers): rate / rates["grpcio", size, callers]
        for (server, size, callers), rate in rates.items()
        if server == "native"
    }


def draw(axes: Axes, rows: Any, kind: tuple[str, bool], *, named: bool) -> None:
    """Draws a chart: a line for each load, with a dot for each server."""
    recipe, batching = kind
    ratios = ratios_by_load(rows, kind)
    loads = list(ratios)
    for place, load in enumerate(loads):
        own = [
            row
            for row in rows
            if (row["recipe"], row["batching"]) == kind and (row["rows"], row["callers"]) == load
        ]
        rates = {row["server"]: row["questions_per_second"] for row in own}
        axes.plot(list(rates.values()), [place] * len(rates), color=BASELINE, linewidth=1, zorder=1)
        for server, rate in rates.items():
            axes.plot(rate, place, "o", color=SERVERS[server][0], markersize=7)
            if named and place == len(loads) - 2:
                side = 1 if server == max(rates, key=rates.__getitem__) else -1
                up = 11 if len(rates) == 2 else 11 * side
                label(axes, SERVERS[server][1], rate, place, colour=SERVERS[server][0],
                      up=up, right=-6 if side < 0 else 2, fontsize=8.5)  # fmt: skip
        label(axes, times(ratios[load]), max(rates.values()), place, colour=BLUE, right=7)
    axes.set_yticks(range(len(loads)), [load_text(*load) for load in loads])
    axes.set_ylim(len(loads) - 0.5, -0.9)
    logarithmic(axes.xaxis, (1000, 10_000, 100_000, 1e6))
    axes.set_xlim(150, 5e6)
    axes.set_title(f"{recipe}, {'with' if batching else 'without'} batching")
    frame(axes, grid="x")
