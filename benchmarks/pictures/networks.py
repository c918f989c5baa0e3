"""The picture of `make search-small`: errors against the size of a network."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from matplotlib.figure import Figure
from seq2sum_training.evaluate.picture_style import BLUE, GREEN, GREY, ORANGE, PURPLE, as_svg

from benchmarks.pictures.drawing import frame, label, logarithmic, new_figure, plain

FAMILIES = {
    "SimpleRNN, paired": (ORANGE, "SimpleRNN, which reads\ntwo digits in a step", 10, 0),
    "GRU, paired": (GREEN, "GRU,\ntwo digits", -12, 22),
    "LSTM, paired": (PURPLE, "LSTM,\ntwo digits", 8, 10),
    "SimpleRNN, one character a step": (
        BLUE,
        "SimpleRNN, which reads\none character in a step",
        0,
        22,
    ),
    "LSTM, one character a step": (GREY, "LSTM,\none character", 0, 22),
}
"""Colour of each family, its label, and the distance of the label from the worst of its dots."""


@as_svg
def picture(values: Any) -> Figure:
    """Draws errors against multiply-adds, a dot for each run."""
    size, runs, cost = smallest(values)
    figure = new_figure(
        f"{size} units and {cost:,} multiply-adds suffice: no error with any of {runs} seeds",
        "A dot is one training with one seed. Units: of the encoder + of the decoder.",
        height=4,
    )
    axes = figure.subplots()
    for family, (colour, text, right, up) in FAMILIES.items():
        own = [row for row in values if row["family"] == family]
        cost_of, errors = [row["multiply_adds"] for row in own], [row["errors"] for row in own]
        axes.scatter(cost_of, errors, s=30, color=colour, alpha=0.7, linewidths=0, clip_on=False)
        worst = max(own, key=lambda row: row["errors"])
        style = {"right": right, "up": up, "ha": "left" if right > 0 else "center"}
        label(axes, text, worst["multiply_adds"], worst["errors"], colour=colour, **style)
    axes.plot(cost, 0, "o", ms=12, mfc="none", mec=ORANGE, clip_on=False)
    label(axes, size, cost, 0, colour=ORANGE, right=0, up=-15, ha="center")
    logarithmic(axes.xaxis, (500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000))
    axes.set_yscale("symlog", linthresh=1)
    ticks = [0, *(10**power for power in range(6))]
    axes.set_yticks(ticks, list(map(plain, ticks)), minor=False)
    axes.set(ylim=(0, 1e6), xlim=(500, 100_000))
    axes.set_xlabel("multiply-adds for a sum (logarithmic)", labelpad=10)
    axes.set_title("Wrong answers of 1,000,000 (logarithmic)")
    axes.tick_params(axis="x", pad=20)
    frame(axes)
    return figure


def smallest(values: Any) -> tuple[str, int, int]:
    """Returns the cheapest size without an error, of those with most seeds: units, seeds, cost."""
    sizes = defaultdict(list)
    for row in values:
        sizes[row["name"].rpartition("-")[0]].append(row)
    most = max(len(rows) for rows in sizes.values())
    clean = [
        rows
        for rows in sizes.values()
        if len(rows) == most and not any(row["errors"] for row in rows)
    ]
    rows = min(clean, key=lambda rows: rows[0]["multiply_adds"])
    encoder, decoder = rows[0]["name"].split("-")[2:4]
    return f"{encoder} + {decoder}", len(rows), rows[0]["multiply_adds"]
