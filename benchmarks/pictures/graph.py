"""The picture of `make bench-graph`: the serving graphs against a stock export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from seq2sum_training.evaluate.picture_style import as_svg

from benchmarks.pictures.drawing import (
    BASELINE,
    NETWORKS,
    frame,
    label,
    logarithmic,
    new_figure,
    plain,
    span,
    times,
)

LINES = {
    "fast, session": (NETWORKS["fast"], "fast", 0),
    "default, session": (NETWORKS["default"], "default", 2),
    "stock export, function": (BASELINE, "model.export()", 3),
    "model.predict": (BASELINE, "model.predict()", -10),
}
"""Colour and label of each variant that is drawn, and the shift of its label."""
RATIOS_AT = (1, 32, 512, 4096)
"""Batch sizes at which the picture has the ratio to the stock export."""
WIDEST = {"avx2": "AVX2", "avx512f": "AVX-512", "amx_tile": "AMX", "asimd": "NEON", "sve": "SVE"}
"""Instruction sets that the picture names, by flag."""


def processor_text(processor: str, instruction_sets: Sequence[str]) -> str:
    """Returns the processor's name and the widest of its instruction sets."""
    found = [text for flag, text in WIDEST.items() if flag in instruction_sets]
    return f"{processor}, {', '.join(found) or 'no wide vectors'}"


@as_svg
def picture(values: Any) -> Figure:
    """Draws questions per CPU-second by batch size, with ratios to the stock export."""
    rows = values["rows"]
    default, fast = (
        span(row["ratio_to_stock"] for row in rows if row["variant"] == f"{name}, session")
        for name in ("default", "fast")
    )
    where = ""
    if "processor" in values:
        where = f" on {processor_text(values['processor'], values['instruction_sets'])}"
    figure = new_figure(
        f"{default} the throughput of a stock Keras export, {fast} with a small network",
        "default: the tutorial's network. fast: one of a hundredth of its size. Both get and "
        "return strings; model.export()\nand model.predict(), with the tutorial's network, get and "
        f"return arrays. On the lines: relative to model.export().\nOne thread{where}.",
        height=4.5,
    )
    axes = figure.subplots()
    for variant, (colour, text, up) in LINES.items():
        own = [row for row in rows if row["variant"] == variant]
        batches, counts = [r["batch"] for r in own], [r["per_cpu_second"] for r in own]
        dashed = "--" if variant == "model.predict" else "-"
        axes.plot(batches, counts, dashed, color=colour, linewidth=1.8)
        label(axes, text, batches[-1], counts[-1], colour=colour, up=up)
        for row in own if colour != BASELINE else ():
            if row["batch"] in RATIOS_AT:
                at = row["batch"], row["per_cpu_second"]
                axes.plot(*at, "o", color=colour, markersize=4)
                label(axes, times(row["ratio_to_stock"]), *at, colour=colour, up=9, right=-3)
    logarithmic(axes.yaxis)
    logarithmic(axes.xaxis)
    batches = sorted({row["batch"] for row in rows})
    axes.set_xticks(batches, list(map(plain, batches)))
    axes.set(xlim=(0.6, batches[-1] * 1.3), xlabel="sums in a call (logarithmic)")
    axes.set_title("Sums per CPU-second (logarithmic)")
    frame(axes)
    return figure
