"""The picture of `make bench-client`: single calls next to raw gRPC, and all call styles."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from seq2sum_training.evaluate.picture_style import BLUE, as_svg

from benchmarks.pictures.drawing import (
    BASELINE,
    frame,
    label,
    logarithmic,
    new_figure,
    short,
    span,
    times,
)

COALESCED = "coalesced"
COSTS = {
    "add": "Client.add",
    "predict": "ModelClient.predict",
    "add, 64 tasks": "AsyncClient.add, 64 tasks",
    "predict, 64 tasks": "AsyncModelClient.predict, 64 tasks",
    "add, 64 tasks, coalesced": "AsyncClient.add, 64 tasks, coalesced",
}
"""Full names of the client's methods in the first chart."""
NAMES = {
    "upstream_single": "tensorflow-serving-api, one per call",
    "add": "add, in a loop",
    "threads": "add, 64 threads",
    "threads_coalesced": "add, 64 threads, coalesced",
    "tasks": "add, 64 tasks",
    "tasks_coalesced": "add, 64 tasks, coalesced",
    "upstream_bulk": "tensorflow-serving-api, 4,096 per call",
    "add_many": "add_many",
    "add_stream": "add_stream",
    "add_columns": "add_columns",
    "stream_columns": "stream_columns",
}
"""Names of the call styles, in the order of the picture."""


@as_svg
def picture(values: Any) -> Figure:
    """Draws the client's CPU time of single calls, and questions per second by call style."""
    costs, styles = values["call_cost"], values["styles"]
    ratios = span(
        row["ratio"]
        for row in costs
        if row["style"] != row["baseline"] and COALESCED not in row["style"]
    )
    rates = {row["style"]: row["questions_per_second"] for row in styles}
    gain = times(rates["tasks_coalesced"] / rates["tasks"])
    machine = values["machine"]
    figure = new_figure(
        f"A call costs {ratios} the CPU of raw gRPC; coalesced, 64 tasks are {gain} as fast",
        f"Client and server on the same {machine['cpus']} cores of an {machine['processor']}.",
        height=6.2,
    )
    upper, lower = figure.subplots(2, 1, height_ratios=(len(costs), len(styles)))
    bars(upper, costs)
    names = [NAMES[row["style"]] for row in styles]
    for place, row in enumerate(styles):
        colour = BASELINE if row["style"].startswith("upstream") else BLUE
        lower.plot(row["questions_per_second"], place, "o", color=colour, markersize=7)
        text = short(row["questions_per_second"])
        label(lower, text, row["questions_per_second"], place, colour=colour, right=7)
    lower.set_yticks(range(len(names)), names)
    lower.set_ylim(len(names) - 0.5, -0.5)
    logarithmic(lower.xaxis)
    lower.set_xlim(right=2 * max(rates.values()))
    lower.set_title("Questions per second (logarithmic)")
    frame(lower, grid="x")
    return figure


def bars(axes: Axes, costs: Any) -> None:
    """Draws the cost of a single call, with its ratio to raw gRPC."""
    for place, row in enumerate(costs):
        colour = BASELINE if row["style"] == row["baseline"] else BLUE
        axes.barh(place, row["microseconds"], 0.7, color=colour)
        text = f"{short(row['microseconds'])} µs"
        if row["style"] != row["baseline"]:
            text += f", {row['ratio']:.2f} × {row['baseline'].partition(',')[0]}"
        label(axes, text, row["microseconds"], place, colour=colour)
    axes.set_yticks(range(len(costs)), [COSTS.get(row["style"], row["style"]) for row in costs])
    axes.invert_yaxis()
    axes.set_title("Client's CPU time for a call with one question, µs")
    frame(axes, grid="x")
    axes.set_xlim(right=1.35 * max(row["microseconds"] for row in costs))
