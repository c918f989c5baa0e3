"""The picture of `make bench-batching`: the effect of batching, by load."""

from __future__ import annotations

import json
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from seq2sum_training.evaluate.picture_style import BLUE, GREY, GRID, as_svg

from benchmarks.batching.candidates import CONTROL
from benchmarks.batching.report import from_json
from benchmarks.batching.selection import Comparison
from benchmarks.load.generator import Load
from benchmarks.pictures.drawing import frame, label, load_text, logarithmic, new_figure, times
from benchmarks.support.output import RESULTS

SINGLE = (1, 64)
"""Questions in a call and callers of the load for which batching is made."""


@as_svg
def picture(values: Any) -> Figure:
    """Draws throughput with batching relative to that without, on the real server and ours."""
    real = json.loads((RESULTS / "real-server.json").read_text())["questions_per_second"]
    measurements, _, _ = from_json(json.dumps(values))
    comparison, choice = Comparison(measurements), values["choice"]
    on = {(row["rows"], row["callers"]): row["on"] / row["off"] for row in real}
    figure = new_figure(
        f"Batching pays for single questions ({times(on[SINGLE])} on the real server), not for "
        "large calls",
        "batching.config is chosen for an unknown mix of callers. Grey band: the difference "
        "between two identical servers.",
        height=5.4,
    )
    heights = len(real) + 1, len(comparison.loads) + 1
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    upper.set_title("tensorflow_model_server 2.18.1")
    draw(
        upper,
        {
            f"default: {load_text(row['rows'], row['callers'])}": (
                row["on"] / row["off"],
                row["intra-op 1"] / row["off"],
            )
            for row in real
        },
    )
    loads = comparison.loads
    noise = [comparison.ratio(CONTROL, load) for load in loads]
    lower.set_title("seq2sum-serve")
    lower.axvspan(min(noise), max(noise), color=GRID, alpha=0.6, linewidth=0)
    batched, unbatched = choice["batched"], choice["unbatched"]
    draw(
        lower,
        {
            our_load_text(load): (
                comparison.ratio(batched, load),
                comparison.ratio(unbatched, load),
            )
            for load in loads
        },
    )
    lower.set_xlabel("throughput relative to the server's defaults (logarithmic)")
    label(upper, "with batching", on[SINGLE], 0, colour=BLUE, right=0, up=13, ha="center")
    one_thread = next(row["intra-op 1"] / row["off"] for row in real)
    text = "without batching,\none thread per operation"
    label(upper, text, one_thread, 0, colour=GREY, right=-8, fontsize=8.5)
    return figure


def draw(axes: Axes, ratios: dict[str, tuple[float, float]]) -> None:
    """Draws a line for each load: batching, and one thread per operation without batching."""
    axes.axvline(1, color=GREY, linewidth=1)
    for place, (batched, unbatched) in enumerate(ratios.values()):
        axes.plot(unbatched, place, "o", mfc="none", mec=GREY, markersize=6)
        axes.plot(batched, place, "o", color=BLUE, markersize=7)
    axes.set_yticks(range(len(ratios)), list(ratios))
    axes.set_ylim(len(ratios) - 0.5, -0.9)
    logarithmic(axes.xaxis, (0.5, 1, 2))
    axes.set_xlim(0.45, 2.2)
    axes.set_xticks((0.5, 0.7, 1, 1.4, 2), ("half", "0.7 ×", "same", "1.4 ×", "double"))
    frame(axes, grid="x")


def our_load_text(load: Load) -> str:
    """Describes a load and its network."""
    more = f", and {load.arrivals} singles/s" if load.arrivals else ""
    return f"{load.model}: {load_text(load.rows, load.callers)}{more}"
