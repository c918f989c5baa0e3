"""Searches for the smallest network that makes no error in a million: `make search-small`.

Trains networks of many sizes with the recipe `fast`, several seeds each, and plots errors over all
1,000,000 questions against multiply-adds per question. Sizes without an error are trained with
more seeds, the cheapest first, until one of them makes no error with any seed. Finished trials are
not repeated: delete runs/small-networks to start over.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from benchmarks.pictures.results import write_results
from benchmarks.support.markdown import table
from benchmarks.support.output import argument_parser
from benchmarks.support.trials import Trial, TrialResult, run_trials

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
"""Layout, cell, encoder units and decoder units, by family."""
COLUMNS = ("layout, cell, units", "parameters", "multiply-adds", "CPU-s", "errors, one per seed")


def main() -> int:
    """Runs the search; returns the exit code."""
    parser = argument_parser(__doc__, runs=Path("runs/small-networks"))
    parser.add_argument("--seeds", type=int, default=3, help="seeds per size (default: 3)")
    parser.add_argument(
        "--proof", type=int, default=6, help="error-free seeds that end the search (default: 6)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="parallel trainings (default: 2)")
    options = parser.parse_args()
    families = {trial.name: family for family, trial in plan(range(1, options.proof + 1))}

    def run(trials: Iterable[tuple[str, Trial]]) -> list[TrialResult]:
        return list(run_trials((trial for _, trial in trials), options.runs, jobs=options.jobs))

    results = run(plan(range(1, options.seeds + 1)))
    for size in without_errors(results):
        seeds = range(options.seeds + 1, options.proof + 1)
        more = run(entry for entry in plan(seeds) if size_of(entry[1].name) == size)
        results += more
        if without_errors(more):
            print(f"cheapest without an error for {options.proof} seeds: {size}")
            break
    results.sort(key=lambda result: (result.multiply_adds, result.name))
    rows = [result.to_json() | {"family": families[result.name]} for result in results]
    write_results(options.out, "small-networks", rows)
    print(sizes_table(results))
    return 0


def size_of(name: str) -> str:
    """Returns the name of a trial without its seed."""
    return name.rpartition("-")[0]


def without_errors(results: Iterable[TrialResult]) -> list[str]:
    """Returns the sizes that made no error with any seed so far, the cheapest first.

    Only errors on the training set count: the held-out pairs are for reporting, not for selection.
    """
    errors: dict[str, int] = defaultdict(int)
    for result in sorted(results, key=lambda result: result.multiply_adds):
        errors[size_of(result.name)] += result.errors - result.never_trained_errors
    return [size for size, count in errors.items() if count == 0]


def plan(seeds: Iterable[int]) -> Iterable[tuple[str, Trial]]:
    """Yields all trials with their family, the first seed of every size before the second."""
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


def sizes_table(results: Iterable[TrialResult]) -> str:
    """Returns a Markdown table with a row for each size."""
    sizes = defaultdict(list)
    for result in results:
        sizes[size_of(result.name)].append(result)

    def row(name: str, group: list[TrialResult]) -> list[str]:
        seconds = [result.cpu_seconds for result in group]
        return [
            " ".join(name.split("-")),
            f"{group[0].parameters:,}",
            f"{group[0].multiply_adds:,}",
            f"{min(seconds):.0f}-{max(seconds):.0f}",
            ", ".join(f"{result.errors:,}" for result in group),
        ]

    return table(COLUMNS, (row(*entry) for entry in sizes.items()))


if __name__ == "__main__":
    sys.exit(main())
