"""Exact match against CPU-seconds, the tutorial against ours: `make bench-training`.

Trains `seed`, `default` and `fast` by the command, asks each all 1,000,000 questions, and sets
them side by side in a report; and trains the tutorial as it is usually run, in stock Keras. Then
each recipe is trained once more (the same seed gives the same weights) and asked on its way, at
intervals, the same random questions from the whole problem space; asking is not counted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import trials
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from seq2sum_training import quiet, recipe
from seq2sum_training.batches import batches_of
from seq2sum_training.pictures import COLOURS, drawn
from trials import Trial

RECIPES = ("seed", "default", "fast")
ASKED = 20_480
"""Random questions of each measurement on the way."""
POINTS = 60
"""Measurements on the way, at most."""


def main() -> int:
    """Runs the benchmark; gives back the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=Path, default=Path("runs/bench-training"))
    options.add_argument("--out", type=Path, default=Path("training/measured"))
    chosen = options.parse_args()
    outcomes = list(trials.outcomes([Trial(name, name) for name in RECIPES], chosen.runs, jobs=1))
    quiet.import_tensorflow()
    import tutorial

    stock = tutorial.run()
    curves = {name: way(name) for name in RECIPES}
    rows = [outcome.row() | {"way": curves[outcome.name]} for outcome in outcomes]
    trials.write(chosen.out / "training.json", {"tutorial": stock._asdict(), "recipes": rows})
    (chosen.out / "training.svg").write_text(picture(curves))
    trials.command(
        "report", str(chosen.runs / "default"),
        "--against", str(chosen.runs / "fast"), str(chosen.runs / "seed"),
    )  # fmt: skip
    for name, outcome in [("tutorial", stock), *((o.name, o) for o in outcomes)]:
        print(
            f"{name:8}  {outcome.cpu_seconds:6.0f} CPU-seconds  "
            f"{outcome.errors:9,} errors of {outcome.questions:,}"
        )
    print(f"side by side: {chosen.runs / 'default' / 'report.html'}")
    return 0


def way(name: str) -> list[tuple[float, float]]:
    """CPU-seconds of training and exact match over the whole problem space, step by step."""
    from seq2sum_training.course import Course
    from seq2sum_training.history import Progress
    from seq2sum_training.trainer import Trainer

    chosen = recipe.load(name)
    trainer = Trainer(chosen)
    course = Course(chosen, batches_of(chosen), trainer)
    first, second = np.random.default_rng(1).integers(0, 10**chosen.digits, (2, ASKED))
    every = max(1, chosen.fit.steps // trainer.block_steps // POINTS)
    points, blocks, asking = [], 0, 0.0
    for event in course.run():
        blocks += isinstance(event, Progress)
        if isinstance(event, Progress) and (blocks - 1) % every == 0:
            spent = course.cpu_seconds
            exact = float(trainer.grade(first, second).right.mean())
            points.append((round(spent - asking, 2), round(exact, 5)))
            asking += course.cpu_seconds - spent
    return points


@drawn
def picture(curves: dict[str, list[tuple[float, float]]]) -> Figure:
    """Both the share that is right and, on a log scale, the share that is wrong."""
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    right, wrong = figure.subplots(1, 2)
    for colour, (name, points) in zip(COLOURS, curves.items(), strict=False):
        seconds, exact = zip(*points, strict=True)
        right.plot(seconds, exact, color=colour, label=name)
        wrong.plot(seconds, [max(1 - e, 1 / ASKED) for e in exact], color=colour)
    right.set(title="Sums that are right, of all there are", xlabel="CPU-seconds of training")
    right.yaxis.set_major_formatter(PercentFormatter(1))
    right.legend(frameon=False)
    wrong.set(title=f"Wrong (measured on {ASKED:,})", xlabel="CPU-seconds of training")
    wrong.set_yscale("log")
    return figure


if __name__ == "__main__":
    sys.exit(main())
