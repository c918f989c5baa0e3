"""The tables of docs/capacity.md about batching."""

from __future__ import annotations

from benchmarks.batching import report
from benchmarks.batching.candidates import OFF
from benchmarks.batching.selection import Comparison, choose
from benchmarks.capacity.figures import OFF_ONE_THREAD, ON, SHAPES, Figures, Shape
from benchmarks.capacity.sizing import break_even
from benchmarks.support.markdown import seconds, table


def real_server(figures: Figures) -> str:
    """Batching on the real server, and the share of single questions above which it is faster."""
    rows = (
        (
            shape.name,
            f"{row['off']:,}",
            f"{row[ON]:,}",
            f"{row[OFF_ONE_THREAD]:,}",
            f"{row[ON] / row['off']:.2f}",
            f"{row[ON] / row[OFF_ONE_THREAD]:.2f}",
        )
        for shape, row in figures.real.items()
    )
    heads = ("load", "off", "on", "off, intra-op 1", "on / off", "on / off, intra-op 1")
    single, *_ = SHAPES
    shares = [
        f"{share:.0%} ({shape.name})"
        for shape in SHAPES[1:]
        if (share := break_even(_pair(figures, single), _pair(figures, shape))) is not None
    ]
    return (
        f"{table(heads, rows)}\n\n"
        "Batching is faster than `off, intra-op 1` if the share of questions that are sent one per "
        f"call exceeds a limit, which depends on the load of the others: {'; '.join(shares)}."
    )


def _pair(figures: Figures, shape: Shape) -> tuple[float, float]:
    return figures.real[shape][ON], figures.real[shape][OFF_ONE_THREAD]


def candidates(figures: Figures) -> str:
    """The candidates of `make bench-batching` and the choice."""
    lines = report.explain(choose(figures.measurements, figures.candidates))
    note = figures.machine.get("note")
    return f"{report.candidates_table(figures.measurements)}\n\n" + "\n".join(
        f"- {line}" for line in [*lines, *([note] if note else [])]
    )


def latencies(figures: Figures) -> str:
    """Latency by load, without batching and with the chosen parameters."""
    comparison = Comparison(figures.measurements)
    choice = choose(figures.measurements, figures.candidates)
    names = dict.fromkeys((OFF, choice.unbatched, choice.batched))
    heads = [f"{name}: {percentile}" for name in names for percentile in ("p50", "p99")]
    return table(
        ("load", *heads),
        (
            (
                load,
                *(
                    seconds(milliseconds / 1e3)
                    for name in names
                    for milliseconds in comparison.median(name, load)[1:3]
                ),
            )
            for load in comparison.loads
        ),
    )
