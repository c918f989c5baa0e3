"""The JSON, table, explanation and picture of `make bench-batching`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from matplotlib.figure import Figure
from seq2sum_training.evaluate.pictures import COLOURS, INK, as_svg

from benchmarks.batching.candidates import Candidate, Parameters
from benchmarks.batching.selection import (
    MAX_TAIL_RATIO,
    MIN_DIFFERENCE,
    Choice,
    Comparison,
    Measurement,
    choose,
)
from benchmarks.load.generator import Load, Sample
from benchmarks.support.markdown import table

COMMAND = "make bench-batching"


def to_json(
    measurements: Sequence[Measurement],
    candidates: Sequence[Candidate],
    machine: dict[str, Any],
) -> str:
    """Returns everything as JSON, one line per measurement; the choice uses the rounded values."""
    measurements = [m._replace(sample=_rounded(m.sample)) for m in measurements]
    known = dict.fromkeys(each.candidate for each in measurements)
    loads = list(dict.fromkeys(each.load for each in measurements))
    head = {
        "command": COMMAND,
        "machine": machine,
        "candidates": [asdict(each) for each in candidates if each.name in known],
        "choice": asdict(choose(measurements, candidates)),
        "loads": [load._asdict() for load in loads],
        "columns": ["candidate", "load", "round", *Sample._fields],
    }
    rows = [
        json.dumps([m.candidate, loads.index(m.load), m.round, *m.sample]) for m in measurements
    ]
    text = json.dumps(head, indent=1).removesuffix("\n}")
    lines = ",\n  ".join(rows)
    return f'{text},\n "measurements": [\n  {lines}\n ]\n}}\n'


def _rounded(sample: Sample) -> Sample:
    return Sample(*(round(value, 4) for value in sample))


def from_json(text: str) -> tuple[list[Measurement], list[Candidate], dict[str, Any]]:
    """Reads measurements, candidates and the machine from the text that `to_json` returned."""
    values = json.loads(text)
    loads = [Load(**load) for load in values["loads"]]
    measurements = [
        Measurement(name, loads[load], number, Sample(*sample))
        for name, load, number, *sample in values["measurements"]
    ]
    return measurements, [_candidate(each) for each in values["candidates"]], values["machine"]


def _candidate(values: dict[str, Any]) -> Candidate:
    given = values["parameters"]
    if given:
        given = Parameters(**given | {"allowed_batch_sizes": tuple(given["allowed_batch_sizes"])})
    return Candidate(**values | {"parameters": given})


def candidates_table(measurements: Sequence[Measurement]) -> str:
    """Returns a Markdown table of each candidate's ratio to batching off, the best first."""
    comparison = Comparison(measurements)
    return table(
        ("candidate", "all loads", "longest tail", "rounds", *map(str, comparison.loads)),
        (
            (
                name,
                f"{comparison.score(name):.2f}",
                f"{comparison.longest_tail(name):.2f}",
                len(comparison.rounds(name)),
                *(f"{comparison.ratio(name, load):.2f}" for load in comparison.loads),
            )
            for name in sorted(comparison.names, key=comparison.score, reverse=True)
        ),
    )


def explain(choice: Choice) -> list[str]:
    """Returns the choice in sentences."""
    result = {
        True: "better than",
        False: "worse than",
        None: "not significantly different from",
    }[choice.pays]
    compared = f"{result} {choice.unbatched!r}, {choice.ratio:.2f}× over all loads"
    least = (
        f"{choice.resolution:.1%} (the larger of the difference between two identical servers and "
        f"{MIN_DIFFERENCE:.0%})"
    )
    lines = [
        f"chosen: {choice.batched!r}; on this server {compared}",
        f"smallest difference that counts: {least}",
    ]
    if not choice.tails_kept:
        lines.append(
            f"no candidate with batching keeps the p99 of every load within {MAX_TAIL_RATIO:g}× of "
            "the p99 without batching"
        )
    return lines


@as_svg
def picture(measurements: Sequence[Measurement], chosen: str) -> Figure:
    """Draws each candidate's score, its ratio for each load, and its longest tail."""
    comparison = Comparison(measurements)
    names = sorted(comparison.names, key=comparison.score)
    figure = Figure(figsize=(10, 1.2 + 0.32 * len(names)), layout="constrained")
    ratios, tails = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    markers = "ov^<>sDPX*"
    for load, marker in zip(comparison.loads, markers, strict=False):
        ratios.plot(
            [comparison.ratio(name, load) for name in names],
            names,
            marker,
            color=COLOURS[1],
            alpha=0.45,
            markersize=4,
            label=str(load),
        )
    ratios.plot([comparison.score(name) for name in names], names, "|", color=COLOURS[0],
                markersize=14, markeredgewidth=3, label="all loads")  # fmt: skip
    ratios.set(xscale="log", title="Throughput, ratio to batching off")
    tails.plot([comparison.longest_tail(name) for name in names], names, "o", color=COLOURS[0])
    tails.axvline(MAX_TAIL_RATIO, color=COLOURS[1], linewidth=0.8, linestyle=":")
    tails.set(xscale="log", title="Longest tail: p99, ratio to off")
    for axes in (ratios, tails):
        axes.axvline(1, color=INK, linewidth=0.6)
        axes.tick_params(which="both", labelsize=8)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("{x:g}")
        axes.grid(axis="both", alpha=0.2)
    for label in ratios.get_yticklabels():
        if label.get_text() == chosen:
            label.set_fontweight("bold")
    figure.legend(*ratios.get_legend_handles_labels(), loc="outside lower center", ncols=5,
                  frameon=False, fontsize=8)  # fmt: skip
    return figure
