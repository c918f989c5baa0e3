"""The JSON, table and explanation of `make bench-batching`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

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
