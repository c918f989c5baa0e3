"""How little is needed for no error in a million: `make search-small`.

Trains networks of many sizes with the recipe `fast`, several seeds each, and shows errors over
all 1,000,000 questions against operations a question. Sizes that made no error get more seeds,
the cheapest first, until one of them holds for all. What is trained already is not trained
again: delete runs/small-networks to begin anew.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import trials
from matplotlib.figure import Figure
from seq2sum_training.pictures import COLOURS, drawn
from trials import Outcome, Trial

SIZES = {
    "SimpleRNN, paired": [
        ("paired", "simple_rnn", *size)
        for size in [(8, 8), (10, 10), (12, 6), (12, 8), (16, 8), (12, 12), (16, 12), (16, 16)]
    ],
    "GRU, paired": [("paired", "gru", 10, 10)],
    "LSTM, paired": [("paired", "lstm", 10, 10)],
    "SimpleRNN, one character a step": [("aligned", "simple_rnn", 48, 48)],
    "LSTM, one character a step": [("aligned", "lstm", 48, 48)],
}
"""Layout, cell, units to read and units to write, by family."""


def main() -> int:
    """Runs the search; gives back the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=3, help="seeds of each size (default: 3)")
    options.add_argument(
        "--proof", type=int, default=6, help="seeds without an error that settle it (default: 6)"
    )
    options.add_argument("--jobs", type=int, default=2, help="trainings at a time (default: 2)")
    options.add_argument("--runs", type=Path, default=Path("runs/small-networks"))
    options.add_argument("--out", type=Path, default=Path("training/measured"))
    chosen = options.parse_args()
    names = {trial.name: family for family, trial in planned(range(1, chosen.proof + 1))}

    def run(plan: Iterable[tuple[str, Trial]]) -> list[Outcome]:
        return list(trials.outcomes((trial for _, trial in plan), chosen.runs, jobs=chosen.jobs))

    outcomes = run(planned(range(1, chosen.seeds + 1)))
    for size in clean(outcomes):
        seeds = range(chosen.seeds + 1, chosen.proof + 1)
        more = run(entry for entry in planned(seeds) if size_of(entry[1].name) == size)
        outcomes += more
        if clean(more):
            print(f"cheapest without an error for {chosen.proof} seeds: {size}")
            break
    outcomes.sort(key=lambda outcome: (outcome.multiply_adds, outcome.name))
    rows = [outcome.row() | {"family": names[outcome.name]} for outcome in outcomes]
    trials.write(chosen.out / "small-networks.json", rows)
    families = defaultdict(list)
    for outcome in outcomes:
        families[names[outcome.name]].append(outcome)
    (chosen.out / "small-networks.svg").write_text(curve(families))
    print(table(outcomes))
    return 0


def size_of(name: str) -> str:
    """What a trial's name says without its seed."""
    return name.rpartition("-")[0]


def clean(outcomes: Iterable[Outcome]) -> list[str]:
    """Sizes that made no error with any seed so far, the cheapest first.

    Only on pairs that training may see: the held-out ones choose nothing, they report.
    """
    errors: dict[str, int] = defaultdict(int)
    for outcome in sorted(outcomes, key=lambda outcome: outcome.multiply_adds):
        errors[size_of(outcome.name)] += outcome.errors - outcome.never_trained_errors
    return [size for size, count in errors.items() if count == 0]


def planned(seeds: Iterable[int]) -> Iterable[tuple[str, Trial]]:
    """All trials with their family, the first seed of every size before the second."""
    for seed in seeds:
        for family, sizes in SIZES.items():
            for layout, cell, encoder, decoder in sizes:
                settings = (
                    f"layout={layout}",
                    f"network.cell={cell}",
                    f"network.encoder={encoder}",
                    f"network.decoder={decoder}",
                    f"seed={seed}",
                )
                yield family, Trial(f"{layout}-{cell}-{encoder}-{decoder}-{seed}", "fast", settings)


def table(outcomes: Iterable[Outcome]) -> str:
    """A Markdown table, a row for each size."""
    sizes = defaultdict(list)
    for outcome in outcomes:
        sizes[size_of(outcome.name)].append(outcome)
    lines = [
        "| layout, cell, units | parameters | multiply-adds | CPU-s | errors, one per seed |",
        "|---|---|---|---|---|",
    ]
    for name, group in sizes.items():
        seconds = [outcome.cpu_seconds for outcome in group]
        errors = ", ".join(f"{outcome.errors:,}" for outcome in group)
        lines.append(
            f"| {' '.join(name.split('-'))} | {group[0].parameters:,} "
            f"| {group[0].multiply_adds:,} | {min(seconds):.0f}-{max(seconds):.0f} | {errors} |"
        )
    return "\n".join(lines)


@drawn
def curve(families: dict[str, list[Outcome]]) -> Figure:
    """Errors in a million against operations, and CPU-seconds of training, a dot for each run."""
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    errors, seconds = figure.subplots(1, 2)
    for colour, (family, outcomes) in zip(COLOURS, families.items(), strict=True):
        operations = [outcome.multiply_adds for outcome in outcomes]
        dots = {"color": colour, "alpha": 0.7, "label": family, "s": 28, "linewidths": 0}
        errors.scatter(operations, [outcome.errors for outcome in outcomes], **dots)
        seconds.scatter(operations, [outcome.cpu_seconds for outcome in outcomes], **dots)
    errors.set_yscale("symlog", linthresh=1)
    errors.set_ylim(-0.3, None)
    errors.set(title="Errors in 1,000,000 questions", ylabel="errors")
    seconds.set(title="Training", ylabel="CPU-seconds")
    seconds.set_ylim(0, None)
    for axes in (errors, seconds):
        axes.set(xscale="log", xlabel="multiply-adds a question")
    errors.legend(frameon=False, fontsize=8)
    return figure


if __name__ == "__main__":
    sys.exit(main())
