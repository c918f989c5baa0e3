"""What is made of the measurements: the record, a table, the choice in words, a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from batching_candidates import Candidate, Parameters
from batching_choice import TAIL, Choice, Found, Measurement, choose
from batching_loads import Load, Sample
from matplotlib.figure import Figure
from seq2sum_training.pictures import COLOURS, drawn

COMMAND = "make bench-batching"


def record(
    measurements: Sequence[Measurement],
    candidates: Sequence[Candidate],
    machine: dict[str, Any],
) -> str:
    """All of it as JSON, a line for each measurement; the choice follows from what is written."""
    measurements = [m._replace(sample=_written(m.sample)) for m in measurements]
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


def _written(sample: Sample) -> Sample:
    return Sample(*(round(figure, 4) for figure in sample))


def read(text: str) -> tuple[list[Measurement], list[Candidate], dict[str, Any]]:
    """The same back from JSON: measurements, candidates, the machine."""
    values = json.loads(text)
    loads = [Load(**load) for load in values["loads"]]
    measurements = [
        Measurement(name, loads[load], number, Sample(*figures))
        for name, load, number, *figures in values["measurements"]
    ]
    return measurements, [candidate(each) for each in values["candidates"]], values["machine"]


def candidate(values: dict[str, Any]) -> Candidate:
    """One candidate back from JSON."""
    given = values["parameters"]
    if given:
        given = Parameters(**given | {"allowed_batch_sizes": tuple(given["allowed_batch_sizes"])})
    return Candidate(**values | {"parameters": given})


def table(measurements: Sequence[Measurement]) -> str:
    """A Markdown table: each candidate's ratio to batching off, by load and over all loads."""
    found = Found(measurements)
    names = sorted(found.names, key=found.score, reverse=True)
    lines = [
        f"| | all | longest tail | rounds | {' | '.join(map(str, found.loads))} |",
        "|---" * (4 + len(found.loads)) + "|",
    ]
    lines += [
        f"| {name} | {found.score(name):.2f} | {found.longest_tail(name):.2f} "
        f"| {len(found.rounds(name))} | "
        + " | ".join(f"{found.worth(name, load):.2f}" for load in found.loads)
        + " |"
        for name in names
    ]
    return "\n".join(lines)


def verdict(choice: Choice) -> str:
    """The choice in words."""
    known = {True: "better than", False: "worse than", None: "not to be told from"}
    compared = f"{known[choice.pays]} {choice.without!r}, {choice.ratio:.2f} times over all loads"
    lines = [
        f"chosen: {choice.parameters!r}; on this server {compared}",
        f"the same server twice differs so that {choice.resolution:.1%} is the least that counts",
    ]
    if not choice.tails_kept:
        lines.append(
            f"no way to batch keeps the p99 of every load within {TAIL:g} times that without"
        )
    return "\n".join(lines)


@drawn
def picture(measurements: Sequence[Measurement], chosen: str) -> Figure:
    """What each candidate is worth, over all loads and by load; and its longest tail."""
    found = Found(measurements)
    names = sorted(found.names, key=found.score)
    figure = Figure(figsize=(10, 1.2 + 0.32 * len(names)), layout="constrained")
    worths, tails = figure.subplots(1, 2, sharey=True, width_ratios=(2, 1))
    markers = "ov^<>sDPX*"
    for load, marker in zip(found.loads, markers, strict=False):
        worths.plot(
            [found.worth(name, load) for name in names],
            names,
            marker,
            color=COLOURS[1],
            alpha=0.45,
            markersize=4,
            label=str(load),
        )
    worths.plot([found.score(name) for name in names], names, "|", color=COLOURS[0],
                markersize=14, markeredgewidth=3, label="all loads")  # fmt: skip
    worths.set(xscale="log", title="Worth, as a ratio to batching off")
    tails.plot([found.longest_tail(name) for name in names], names, "o", color=COLOURS[0])
    tails.axvline(TAIL, color=COLOURS[1], linewidth=0.8, linestyle=":")
    tails.set(xscale="log", title="Longest tail: p99 to that of off")
    for axes in (worths, tails):
        axes.axvline(1, color="#22303c", linewidth=0.6)
        axes.tick_params(which="both", labelsize=8)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("{x:g}")
        axes.grid(axis="both", alpha=0.2)
    for label in worths.get_yticklabels():
        if label.get_text() == chosen:
            label.set_fontweight("bold")
    figure.legend(*worths.get_legend_handles_labels(), loc="outside lower center", ncols=5,
                  frameon=False, fontsize=8)  # fmt: skip
    return figure
