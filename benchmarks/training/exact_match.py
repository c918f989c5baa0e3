"""Measures exact match against CPU time, for the tutorial and our recipes: `make bench-training`.

Trains `seed`, `default` and `fast`, evaluates each on all 1,000,000 questions, and writes a report
that compares them; trains the tutorial's network in stock Keras in the same way. Each recipe is
then trained again (the same seed gives the same weights) and evaluated at intervals on a fixed
random sample of all questions; evaluation time does not count.
"""

from __future__ import annotations

import sys

import numpy as np
from seq2sum_training import recipe, tf_import
from seq2sum_training.data.batches import batches_of

from benchmarks.pictures.results import write_results
from benchmarks.support import trials
from benchmarks.support.output import argument_parser

RECIPES = ("seed", "default", "fast")
SAMPLE = 20_480
"""Random questions of each evaluation during training."""
POINTS = 60
"""Evaluations during training, at most."""

Curve = list[tuple[float, float]]
"""CPU-seconds of training, and exact match after them."""


def main() -> int:
    """Runs the benchmark; returns the exit code."""
    options = argument_parser(__doc__).parse_args()
    results = trials.train_recipes(RECIPES, options.runs)
    tf_import.import_tensorflow()
    from benchmarks.training import tutorial

    stock = tutorial.run()
    rows = [r.to_json() | {"exact_match": exact_match_curve(r.name)} for r in results]
    write_results(options.out, "training", {"tutorial": stock._asdict(), "recipes": rows})
    trials.run_command(
        "report", str(options.runs / "default"),
        "--against", str(options.runs / "fast"), str(options.runs / "seed"),
    )  # fmt: skip
    for name, result in [("tutorial", stock), *((result.name, result) for result in results)]:
        print(
            f"{name:8}  {result.cpu_seconds:6.0f} CPU-seconds  "
            f"{result.errors:9,} errors of {result.questions:,}"
        )
    print(f"comparison: {options.runs / 'default' / 'report.html'}")
    return 0


def exact_match_curve(name: str) -> Curve:
    """Trains a recipe and evaluates it at intervals."""
    from seq2sum_training.fit.history import HistoryRow
    from seq2sum_training.fit.trainer import Trainer
    from seq2sum_training.fit.training_loop import TrainingLoop

    chosen = recipe.load(name)
    trainer = Trainer(chosen)
    loop = TrainingLoop(chosen, batches_of(chosen), trainer)
    first, second = np.random.default_rng(1).integers(0, 10**chosen.digits, (2, SAMPLE))
    every = max(1, chosen.fit.steps // trainer.block_steps // POINTS)
    points, blocks, evaluation = [], 0, 0.0
    for event in loop.run():
        blocks += isinstance(event, HistoryRow)
        if isinstance(event, HistoryRow) and (blocks - 1) % every == 0:
            cpu = loop.cpu_seconds
            exact = float(trainer.grade(first, second).right.mean())
            points.append((round(cpu - evaluation, 2), round(exact, 5)))
            evaluation += loop.cpu_seconds - cpu
    return points


if __name__ == "__main__":
    sys.exit(main())
