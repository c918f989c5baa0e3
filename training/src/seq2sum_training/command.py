"""The `seq2sum-train` command: fit, evaluate, export."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from seq2sum import contract

from seq2sum_training import evaluation, progress, provenance, quiet, versions
from seq2sum_training import recipe as recipes
from seq2sum_training.batches import batches_of
from seq2sum_training.errors import UserError
from seq2sum_training.run import Run

DONE, FAILED, INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; gives back the exit code."""
    options = parser().parse_args(arguments)
    # As Ctrl-C does, so that what is half-made is cleared away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        verbs = {"fit": fit, "evaluate": evaluate, "export": export}
        verbs[options.verb](options)
    except UserError as error:
        print(f"seq2sum-train: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("seq2sum-train: interrupted; what was finished before is whole", file=sys.stderr)
        return INTERRUPTED
    return DONE


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(
        prog="seq2sum-train",
        description="Train a seq2sum network, prove it, and export it for TensorFlow Serving.",
        epilog=(
            "Example: seq2sum-train fit default --out runs/mine && "
            "seq2sum-train evaluate runs/mine && "
            "seq2sum-train export runs/mine --to models/seq2sum"
        ),
    )
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB")

    fitter = verbs.add_parser("fit", help="train a recipe into a run folder")
    fitter.add_argument(
        "recipe", metavar="RECIPE", help=f"a TOML file, or one of: {', '.join(recipes.names())}"
    )
    fitter.add_argument(
        "--out", type=Path, metavar="RUN", help="the run folder (default: runs/<recipe>-<date>)"
    )
    fitter.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="KEY=VALUE",
        help="change a value of the recipe, e.g. seed=7 or fit.steps=500; may be repeated",
    )

    evaluator = verbs.add_parser("evaluate", help="ask a trained run every question there is")
    evaluator.add_argument("run", type=Path, metavar="RUN", help="a run folder")

    exporter = verbs.add_parser("export", help="publish a trained run as a model version")
    exporter.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    exporter.add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="BASE",
        help="the model's base path, the folder that a server watches, e.g. models/seq2sum",
    )
    exporter.add_argument(
        "--version",
        type=version,
        metavar="N",
        help="its number (default: the next free one)",
    )
    return command


def fit(options: argparse.Namespace) -> None:
    """Trains a recipe into a new run folder."""
    recipe = recipes.load(options.recipe, options.overrides)
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    out = options.out or Path("runs", f"{Path(options.recipe).stem}-{stamp}")

    batches = batches_of(recipe)  # a recipe with nothing to train on makes no folder
    run = Run.create(out, recipe)
    quiet.import_tensorflow()
    from seq2sum_training.fit import Trainer

    trainer = Trainer(recipe, batches)
    began, cpu = time.perf_counter(), time.process_time()
    with progress.bar("training", recipe.fit.steps, unit="steps") as advance:
        for block in trainer.run():
            run.add_history(block)
            advance(
                block.step,
                f"loss {block.loss:.4f}  probe exact {block.exact:.1%}  "
                f"{block.questions_per_second:,.0f} questions/s",
            )
    run.save_model(trainer.model)
    spent = {
        "wall_seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }
    run.write_json("run", spent | provenance.provenance())
    print(
        f"trained {out} in {spent['wall_seconds']:.0f} s "
        f"({spent['cpu_seconds']:.0f} CPU-seconds, compilation included)"
    )


def evaluate(options: argparse.Namespace) -> None:
    """Counts the errors of a run over the whole problem space."""
    run = Run.open(options.run)
    quiet.import_tensorflow()
    from seq2sum_training.serving import ServingModel

    digits = run.recipe.digits
    serving = ServingModel(run.recipe, run.model())
    trained = batches_of(run.recipe).trained
    with progress.bar("asking every question", 100**digits, unit="questions") as advance:
        score = evaluation.evaluate(
            serving.answers, digits=digits, trained=trained, tell=lambda done: advance(done, "")
        )
    figures = score.summary()
    run.write_json("evaluation", figures)
    run.write_table("wrong", ("question", "answer", "true_sum", "confidence"), score.mistakes())
    print(
        f"errors {figures['errors']:,} of {figures['questions']:,}  "
        f"(exact match {figures['exact_match']:.4%})\n"
        f"errors {figures['never_trained_errors']:,} of "
        f"{figures['never_trained_questions']:,} that training never saw\n"
        f"characters right {figures['character_accuracy']:.4%}\n"
        f"written to {run.path}: evaluation.json, wrong.csv"
    )


def export(options: argparse.Namespace) -> None:
    """Publishes a run as the next version below a base path."""
    run = Run.open(options.run)
    if options.version is not None:
        versions.refuse_existing(options.to, options.version)
    quiet.import_tensorflow()
    from seq2sum_training.export import export as publish

    path, right, asked = publish(run, options.to, version=options.version, tell=print)
    print(f"published {path}: {right:,} of {asked:,} golden questions answered right")


def version(text: str) -> int:
    """A version from the command line."""
    number = contract.version_number(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a version: 0, 1, 2 and so on")
    return number


if __name__ == "__main__":
    sys.exit(main())
