"""Targets, table and picture of `make bench-graph`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from seq2sum_training.evaluate.pictures import COLOURS, as_svg

from benchmarks.support.markdown import table

RECIPES = ("default", "fast")
BATCHES = (1, 8, 32, 128, 512, 2048, 4096, 8192)
BOUNDS = {
    "default": "bound of default: matrix products only",
    "fast": "bound of fast: strings in and out",
}
STOCK, STOCK_SESSION = "stock export, function", "stock export, session"
TARGETS = {
    "default": {1: 2.5, 8: 2.5, 32: 2.5, 512: 1.7, 2048: 1.7, 4096: 1.7, 8192: 1.7},
    "fast": {32: 5.0, 512: 30.0, 4096: 50.0},
}
"""Questions per CPU-second relative to the stock export, by batch size."""

WIDEST = {"avx2": "AVX2", "avx512f": "AVX-512", "amx_tile": "AMX", "asimd": "NEON", "sve": "SVE"}
"""Instruction sets that the picture names, by flag."""

Row = dict[str, Any]


def text(rows: list[Row], unusual: Iterable[Row], compared: Mapping[str, Row]) -> str:
    """Returns all results as text."""
    lines = [variants_table(rows)]
    lines += [
        f"{name}, share of its bound: " + ", ".join(f"{s:.0%}" for s in shares.values())
        for name, shares in shares_of_bounds(rows).items()
    ]
    lines += [
        f"{name}: {found['different_answers']} of {found['questions']:,} answers differ from "
        f"Keras, probabilities by at most {found['largest_probability_difference']:.1e}"
        for name, found in compared.items()
    ]
    lines += [
        f"{row['recipe']}, {row['kind']} in {row['share']:.0%} of rows: cost × "
        f"{row['relative_cost']:.2f}"
        for row in unusual
    ]
    missed = [f"{r['variant']} at {r['batch']}" for r in rows if r["target"] and not met(r)]
    return "\n".join([*lines, f"targets missed: {', '.join(missed) or 'none'}"])


def met(row: Row) -> bool:
    """Returns whether a row reaches its target."""
    return bool(row["ratio_to_stock"] >= row["target"])


def shares_of_bounds(rows: Iterable[Row]) -> dict[str, dict[int, float]]:
    """Returns throughput in a session as a share of the bound, by recipe and batch size."""
    counts = {(row["variant"], row["batch"]): row["per_cpu_second"] for row in rows}
    return {
        name: {
            batch: round(counts[f"{name}, session", batch] / counts[bound, batch], 3)
            for batch in BATCHES
        }
        for name, bound in BOUNDS.items()
    }


def variants_table(rows: list[Row]) -> str:
    """Returns a Markdown table of questions per CPU-second, and the ratio to the stock export."""
    return table(
        ("variant", *map(str, BATCHES)),
        (
            (
                variant,
                *(
                    f"{short(row['per_cpu_second'])} ({row['ratio_to_stock']:.3g}×)"
                    for row in rows
                    if row["variant"] == variant
                ),
            )
            for variant in dict.fromkeys(row["variant"] for row in rows)
        ),
    )


def short(count: float) -> str:
    """Formats a number with three significant digits: `1.25M`, `12.5k`, `125`."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.3g}"


def processor_text(processor: str, instruction_sets: Sequence[str]) -> str:
    """Returns the processor's name and the widest of its instruction sets."""
    found = [text for flag, text in WIDEST.items() if flag in instruction_sets]
    return f"{processor}, {', '.join(found) or 'no wide vectors'}"


@as_svg
def picture(rows: list[Row], *, processor: str, instruction_sets: Sequence[str]) -> Figure:
    """Draws questions per CPU-second, and the ratio to the stock export, by batch size."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    counts, ratios = figure.subplots(1, 2)
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    for colour, name in zip(COLOURS, ("default", "fast", "stock export", "model"), strict=False):
        for variant in variants:
            bound = variant.startswith(f"bound of {name}")
            if not (bound or variant.startswith(name)):
                continue
            own = [row for row in rows if row["variant"] == variant]
            style = ":" if bound else "--" if variant.endswith("function") else "-"
            batches = [row["batch"] for row in own]
            line = {"color": colour, "linestyle": style, "label": variant}
            counts.plot(batches, [row["per_cpu_second"] for row in own], **line)
            if name in RECIPES:
                ratios.plot(batches, [row["ratio_to_stock"] for row in own], **line)
        targets = TARGETS.get(name, {})
        ratios.scatter(list(targets), list(targets.values()), color=colour, marker="_", s=90)
    counts.set(title="Questions per CPU-second", xscale="log", yscale="log")
    ratios.set(title="Ratio to stock export (dashes: targets)", xscale="log", yscale="log")
    for axes in (counts, ratios):
        axes.set(xlabel="questions per call")
    figure.suptitle(processor_text(processor, instruction_sets), fontsize=9)
    figure.legend(*counts.get_legend_handles_labels(), loc="outside right", frameon=False)
    return figure
