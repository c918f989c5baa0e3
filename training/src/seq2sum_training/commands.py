"""What each verb of `seq2sum-train` does, from parsed options to printed lines."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

from seq2sum_training import recipe as recipes
from seq2sum_training import tf_import
from seq2sum_training.data.batches import batches_of
from seq2sum_training.errors import UserError
from seq2sum_training.export import versions
from seq2sum_training.run import EVALUATION, REPORT, WRONG, Run


def fit(options: argparse.Namespace) -> None:
    """Trains a recipe into a new run folder."""
    overrides = list(options.overrides)
    if options.stop_at is not None:
        overrides.append(f"fit.stop_at={options.stop_at}")
    recipe = recipes.load(options.recipe, overrides)
    batches_of(recipe)  # a recipe with nothing to train on makes no folder
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    out = options.out or Path("runs", f"{Path(options.recipe).stem}-{stamp}")
    _train(Run.create(out, recipe), options)


def resume(options: argparse.Namespace) -> None:
    """Goes on with a run that was ended before its end."""
    run = Run.open(options.run)
    if run.is_finished:
        raise UserError(f"{run.path} is finished already: its model is there")
    _train(run, options)


def _train(run: Run, options: argparse.Namespace) -> None:
    from seq2sum_training.fit import fit_run

    spent = fit_run.fit(run, checkpoint_every=options.checkpoint_every)
    print(
        f"trained {run.path} in {spent['wall_seconds']:.0f} s "
        f"({spent['cpu_seconds']:.0f} CPU-seconds, compilation included)"
    )
    check = spent["check"]
    if check is None:
        return
    if not check["clean"]:
        raise UserError(_not_clean(run, check))
    print(
        f"the check over {check['asked']:,} training pairs is clean: no answer is wrong, "
        f"the largest loss is {check['largest']:.2f}"
    )


def _not_clean(run: Run, check: dict[str, Any]) -> str:
    polish = run.recipe.polish
    assert polish is not None  # nothing else checks
    return (
        f"training ended without a clean check: the best weights, kept in {run.path}, answer "
        f"{check['wrong']:,} of {check['asked']:,} training pairs wrongly, and {check['failed']:,} "
        f"have a loss above {polish.largest_loss}; train again with another seed (--set seed=N) or "
        f"with more attempts (--set polish.attempts=N, now {polish.attempts})"
    )


def evaluate(options: argparse.Namespace) -> None:
    """Counts the errors of a run, over the whole problem space if it can be."""
    run = Run.finished(options.run)
    from seq2sum_training.evaluate import exhaustive_evaluation

    figures = exhaustive_evaluation.evaluate(run)
    unseen = figures["never_trained_questions"]
    lines = [
        f"errors {figures['errors']:,} of {figures['questions']:,}",
        f"errors {figures['never_trained_errors']:,} of {unseen:,} that training never saw",
    ]
    if chains := figures.get("by_chain"):
        asked, wrong = (sum(row[key] for row in chains) for key in ("questions", "errors"))
        lines.append(f"errors {wrong:,} of {asked:,} carry chains that training never saw")
    lines += [
        f"exact match {figures['exact_match']:.4%}",
        f"characters right {figures['character_accuracy']:.5%}",
        f"written to {run.path} in {figures['seconds']:.0f} s: {EVALUATION}, {WRONG}, {REPORT}",
    ]
    print("\n".join(lines))
    wrong = figures["errors"] + sum(row["errors"] for row in figures["by_chain"])
    if wrong and not options.allow_errors:
        raise UserError(
            f"{wrong:,} wrong answers, listed in {run.path / WRONG}; "
            f"if they are expected, pass --allow-errors"
        )


def report(options: argparse.Namespace) -> None:
    """Writes the report of an evaluated run again, with others beside it."""
    run, *others = (Run.finished(path) for path in (options.run, *options.against))
    tf_import.import_tensorflow()
    from seq2sum_training.evaluate import report as reports

    reports.write(run, others)
    print(f"written: {run.path / REPORT}")


def export(options: argparse.Namespace) -> None:
    """Publishes a run as the next version below a base path, evaluating it if need be."""
    run = Run.finished(options.run)
    versions.number_for(options.to, options.version)  # refused before any work
    tf_import.import_tensorflow()
    from seq2sum_training.evaluate import exhaustive_evaluation
    from seq2sum_training.export.publish import export as publish

    if run.evaluation() is None:
        print("this model is not evaluated yet: its card needs exact figures")
        exhaustive_evaluation.evaluate(run)
    publish(run, options.to, version=options.version, force=options.force, tell=print)


def show(options: argparse.Namespace) -> None:
    """Prints what a run folder or a version directory holds."""
    from seq2sum_training import show as shown

    shown.show(options.path)
