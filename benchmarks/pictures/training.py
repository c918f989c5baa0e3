"""The picture of `make bench-training`: wrong answers against CPU time."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from seq2sum_training.evaluate.picture_style import as_svg

from benchmarks.pictures.drawing import BASELINE, NETWORKS, frame, label, logarithmic, new_figure

NAMES = {"seed": "the tutorial's recipe", "default": "default", "fast": "fast"}
SAMPLE = 20_480
"""Random questions of each evaluation during training: see `benchmarks.training.exact_match`."""
NONE = 100 / SAMPLE / 2
"""Where a share of zero is drawn on the logarithmic axis."""
TICKS = (NONE, 0.01, 0.1, 1, 10, 100)


@as_svg
def picture(values: Any) -> Figure:
    """Draws the share of wrong answers during training, a line for each recipe."""
    recipes, tutorial = values["recipes"], values["tutorial"]
    ours = sum(row["errors"] for row in recipes if row["name"] in NETWORKS)
    others = next(row["errors"] for row in recipes if row["name"] == "seed")
    figure = new_figure(
        f"{ours} wrong answers to 1,000,000 sums, where the tutorial's recipe gives {others:,}",
        f"Lines: {SAMPLE:,} random sums during training. Texts: all 1,000,000 sums, after it.",
        height=3.9,
    )
    axes = figure.subplots()
    for row in recipes:
        seconds, exact = zip(*row["exact_match"], strict=True)
        colour = NETWORKS.get(row["name"], BASELINE)
        wrong = [max(100 * (1 - share), NONE) for share in exact]
        axes.plot(seconds, wrong, color=colour, linewidth=1.8)
        text = f"{NAMES[row['name']]}: {row['errors']:,} wrong\n{row['parameters']:,} parameters"
        label(
            axes,
            text,
            seconds[-1],
            wrong[-1],
            colour=colour,
            right=-4,
            up=18 if wrong[-1] > 1 else 40,
            ha="right",
        )
    share = 100 * tutorial["errors"] / tutorial["questions"]
    axes.plot(tutorial["cpu_seconds"], share, "o", color=BASELINE)
    text = f"the tutorial in stock Keras:\n{tutorial['errors']:,} wrong"
    label(axes, text, tutorial["cpu_seconds"], share, colour=BASELINE, right=6, up=-16, ha="right")
    logarithmic(axes.xaxis, (10, 20, 50, 100, 200, 300))
    logarithmic(axes.yaxis)
    axes.set_yticks(TICKS, ["none", *(f"{tick:g} %" for tick in TICKS[1:])])
    axes.set(ylim=(NONE / 1.5, 150), xlabel="CPU-seconds of training (logarithmic)")
    axes.set_title("Wrong answers (logarithmic)")
    frame(axes)
    return figure
