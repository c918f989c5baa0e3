"""The tables of docs/capacity.md about batching."""

from __future__ import annotations

import batching_report
from batching_candidates import OFF
from batching_choice import Found, choose
from capacity_figures import OFF_ALONE, ON, SHAPES, Figures, Shape
from capacity_markdown import seconds, table
from capacity_plan import break_even


def real(figures: Figures) -> str:
    """Batching on the real server, and from when on it takes less CPU time."""
    rows = (
        (
            shape.name,
            f"{row['off']:,}",
            f"{row[ON]:,}",
            f"{row[OFF_ALONE]:,}",
            f"{row[ON] / row['off']:.2f}",
            f"{row[ON] / row[OFF_ALONE]:.2f}",
        )
        for shape, row in figures.real.items()
    )
    heads = ("questions come", "off", "on", "off, intra-op 1", "on / off", "on / off, intra-op 1")
    single, *_ = SHAPES
    shares = [
        f"{share:.0%} ({shape.name})"
        for shape in SHAPES[1:]
        if (share := break_even(_pair(figures, single), _pair(figures, shape))) is not None
    ]
    return (
        f"{table(heads, rows)}\n\n"
        "Batching carries more than `off, intra-op 1` when more than this share of all questions "
        f"come one a call, by how the others come: {'; '.join(shares)}."
    )


def _pair(figures: Figures, shape: Shape) -> tuple[float, float]:
    return figures.real[shape][ON], figures.real[shape][OFF_ALONE]


def ways(figures: Figures) -> str:
    """What `make bench-batching` found."""
    words = batching_report.verdict(choose(figures.measurements, figures.candidates))
    note = figures.machine.get("note")
    lines = [*words.splitlines(), *([note] if note else [])]
    return f"{batching_report.table(figures.measurements)}\n\n" + "\n".join(
        f"- {line}" for line in lines
    )


def latencies(figures: Figures) -> str:
    """Latencies of calls by load, without batching and with what was chosen."""
    found = Found(figures.measurements)
    chosen = choose(figures.measurements, figures.candidates)
    names = (OFF, chosen.without, chosen.parameters)
    heads = [f"{name}: {what}" for name in dict.fromkeys(names) for what in ("p50", "p99")]
    return table(
        ("load", *heads),
        (
            (
                load,
                *(
                    seconds(milliseconds / 1e3)
                    for name in dict.fromkeys(names)
                    for milliseconds in found.median(name, load)[1:3]
                ),
            )
            for load in found.loads
        ),
    )
