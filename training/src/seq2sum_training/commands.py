"""The subcommands of `seq2sum-train`: each takes parsed options and prints its result."""

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
from seq2sum_training.run import EVALUATION, REPORT, WRONG_ANSWERS, Run


def fit(options: argparse.Namespace) -> None:
    """Trains a recipe into a new run folder."""
    overrides = list(options.overrides)
    if options.stop_at is not None:
        overrides.append(f"fit.stop_at={options.stop_at}")
    recipe = recipes.load(options.recipe, overrides)
    batches_of(recipe)  # fails before the folder is created if there is nothing to train on
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    out = options.out or Path("runs", f"{Path(options.recipe).stem}-{stamp}")
    _train(Run.create(out, recipe), options)


def resume(options: argparse.Namespace) -> None:
    """Continues an interrupted run from its last checkpoint."""
    run = Run.open(options.run)
    if run.is_finished:
        raise UserError(f"{run.path} is already finished")
    _train(run, options)


def _train(run: Run, options: argparse.Namespace) -> None:
    from seq2sum_training.fit import fit_run

    results = fit_run.fit(run, checkpoint_every=options.checkpoint_every)
    print(
        f"trained {run.path} in {results['wall_seconds']:.0f} s "
        f"({results['cpu_seconds']:.0f} CPU-seconds, including compilation)"
    )
    check = results["check"]
    if check is None:
        return
    if not check["clean"]:
        raise UserError(_failed_check(run, check))
    print(
        f"check over {check['asked']:,} training pairs is clean: no wrong answers, "
        f"largest loss {check['largest']:.2f}"
    )


def _failed_check(run: Run, check: dict[str, Any]) -> str:
    polish = run.recipe.polish
    assert polish is not None  # only recipes with polish have checks
    return (
        f"training ended without a clean check: with the best weights, kept in {run.path}, "
        f"{check['wrong']:,} of {check['asked']:,} training pairs have wrong answers and "
        f"{check['failed']:,} have a loss above {polish.largest_loss}; train again with another "
        f"seed (--set seed=N) or more attempts (--set polish.attempts=N, now {polish.attempts})"
    )


def evaluate(options: argparse.Namespace) -> None:
    """Counts the errors of a run, on every question if they can be enumerated."""
    run = Run.open_finished(options.run)
    from seq2sum_training.evaluate import exhaustive_evaluation

    figures = exhaustive_evaluation.evaluate(run)
    unseen = figures["never_trained_questions"]
    lines = [
        f"errors {figures['errors']:,} of {figures['questions']:,}",
        f"errors {figures['never_trained_errors']:,} of {unseen:,} never trained on",
    ]
    if chains := figures.get("by_chain"):
        questions, errors = (sum(row[key] for row in chains) for key in ("questions", "errors"))
        lines.append(f"errors {errors:,} of {questions:,} carry chains never trained on")
    lines += [
        f"exact match {figures['exact_match']:.4%}",
        f"character accuracy {figures['character_accuracy']:.5%}",
    ]
    files = f"{EVALUATION}, {WRONG_ANSWERS} and {REPORT}"
    lines.append(f"wrote {files} to {run.path} in {figures['seconds']:.0f} s")
    print("\n".join(lines))
    wrong = figures["errors"] + sum(row["errors"] for row in figures["by_chain"])
    if wrong and not options.allow_errors:
        raise UserError(
            f"{wrong:,} wrong answers, listed in {run.path / WRONG_ANSWERS}; "
            f"if they are expected, pass --allow-errors"
        )


def report(options: argparse.Namespace) -> None:
    """Writes the report of an evaluated run again, compared with other runs."""
    run, *others = (Run.open_finished(path) for path in (options.run, *options.against))
    tf_import.import_tensorflow()
    from seq2sum_training.evaluate import report as reports

    reports.write(run, others)
    print(f"wrote {run.path / REPORT}")


def export(options: argparse.Namespace) -> None:
    """Publishes a run as a version below a base path; evaluates it first if necessary."""
    run = Run.open_finished(options.run)
    versions.choose_version(options.to, options.version)  # fails before any work
    tf_import.import_tensorflow()
    from seq2sum_training.evaluate import exhaustive_evaluation
    from seq2sum_training.export.publish import export as publish

    if run.evaluation() is None:
        print("evaluating the model: its model card needs the figures")
        exhaustive_evaluation.evaluate(run)
    publish(run, options.to, version=options.version, force=options.force, log=print)


def show(options: argparse.Namespace) -> None:
    """Prints a summary of a run folder or a version directory."""
    from seq2sum_training.show import show as print_summary

    print_summary(options.path)
