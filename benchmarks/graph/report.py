"""Targets and table of `make bench-graph`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

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
