"""The `seq2sum-train` command: options and exit codes."""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from seq2sum import model_versions

from seq2sum_training import commands
from seq2sum_training import recipe as recipes
from seq2sum_training.errors import Interrupted, UserError

SUCCESS, FAILURE, INTERRUPTED = 0, 1, 130
EXAMPLES = """\
examples:
  seq2sum-train fit default --out runs/mine
  seq2sum-train evaluate runs/mine
  seq2sum-train export runs/mine --to models/seq2sum

exit codes:
  0  success                     2    invalid command line
  1  failure, or wrong answers   130  interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    command = parser()
    if "_ARGCOMPLETE" in os.environ:  # a shell asks for candidates: prints them and exits
        import argcomplete

        argcomplete.autocomplete(command)
    options = command.parse_args(arguments)
    # Like Ctrl-C, so that temporary files are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        options.run_subcommand(options)
    except UserError as error:
        print(f"seq2sum-train: {error}", file=sys.stderr)
        return INTERRUPTED if isinstance(error, Interrupted) else FAILURE
    except OSError as error:  # such as a missing permission or too long a name
        print(f"seq2sum-train: {error}", file=sys.stderr)
        return FAILURE
    except KeyboardInterrupt:
        print("seq2sum-train: interrupted; existing files are complete", file=sys.stderr)
        return INTERRUPTED
    return SUCCESS


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    command = argparse.ArgumentParser(
        prog="seq2sum-train",
        description="Train a seq2sum network, evaluate it and export it for TensorFlow Serving.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--version", action="version", version=f"%(prog)s {metadata.version('seq2sum-training')}"
    )
    add = command.add_subparsers(required=True, metavar="COMMAND").add_parser

    def subcommand(
        name: str, run: Callable[[argparse.Namespace], None], help_: str, description: str
    ) -> argparse.ArgumentParser:
        subcommand_parser: argparse.ArgumentParser = add(name, help=help_, description=description)
        subcommand_parser.set_defaults(run_subcommand=run)
        return subcommand_parser

    fit = subcommand(
        "fit",
        commands.fit,
        "train a recipe into a run folder",
        "Train a recipe into a new run folder. A recipe with rounds of polish ends with a check "
        "over training pairs: exit code 0 if the check is clean; otherwise 1, and the run folder "
        "has the best weights that a check has found. `resume` continues an interrupted run.",
    )
    fit.add_argument(
        "recipe", metavar="RECIPE", help=f"a TOML file, or one of: {', '.join(recipes.names())}"
    )
    fit.add_argument(
        "--out", type=Path, metavar="RUN", help="the run folder (default: runs/<recipe>-<date>)"
    )
    fit.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="KEY=VALUE",
        help="override a value of the recipe, e.g. seed=7 or fit.steps=500; may be repeated",
    )
    fit.add_argument(
        "--stop-at",
        type=share,
        metavar="SHARE",
        help="end early, without polish, when this share of the probe (1,024 training questions) "
        "is answered correctly, e.g. 0.999 or 99.9%%",
    )

    _add_checkpoint_option(fit)

    resume = subcommand(
        "resume",
        commands.resume,
        "continue an interrupted run",
        "Continue a run that was interrupted or killed, from its last checkpoint. It ends with the "
        "same weights, bit for bit, as an uninterrupted run.",
    )
    _add_run(resume)
    _add_checkpoint_option(resume)

    evaluate = subcommand(
        "evaluate",
        commands.evaluate,
        "evaluate a trained run on every question",
        "Evaluate a trained run on every question with up to 3 digits, or on a million random ones "
        "with more digits; write evaluation.json, wrong.csv and report.html into its folder. "
        "Exit code 0 if every answer is correct, otherwise 1.",
    )
    _add_run(evaluate)
    evaluate.add_argument(
        "--allow-errors", action="store_true", help="exit with code 0 even if answers are wrong"
    )

    report = subcommand(
        "report",
        commands.report,
        "rewrite the report of an evaluated run",
        "Rewrite report.html of an evaluated run, optionally with a comparison to other runs.",
    )
    _add_run(report)
    report.add_argument(
        "--against", type=Path, nargs="+", default=[], metavar="RUN", help="runs to compare with"
    )

    export = subcommand(
        "export",
        commands.export,
        "publish a trained run as a model version",
        "Publish a trained run as a version below a model's base path: a SavedModel with its "
        "golden requests, contract and model card. The version appears only after the golden "
        "requests were answered correctly, in memory and from disk.",
    )
    _add_run(export)
    export.add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="BASE",
        help="the model's base path, the folder that a server watches, e.g. models/seq2sum",
    )
    export.add_argument(
        "--version",
        type=version,
        metavar="N",
        help="the version number (default: the next free one)",
    )
    export.add_argument(
        "--force",
        action="store_true",
        help="publish even if golden requests are answered wrongly; the model card and "
        "contract.json record it",
    )

    show = subcommand(
        "show",
        commands.show,
        "show a run folder or a version directory",
        "Show the network, training, errors and signatures of a run folder or a version directory.",
    )
    show.add_argument("path", type=Path, metavar="RUN_OR_VERSION", help="the folder to show")
    return command


def _add_run(subcommand: argparse.ArgumentParser) -> None:
    subcommand.add_argument("run", type=Path, metavar="RUN", help="a run folder")


def _add_checkpoint_option(subcommand: argparse.ArgumentParser) -> None:
    subcommand.add_argument(
        "--checkpoint-every",
        type=seconds,
        default=10.0,
        metavar="SECONDS",
        help="interval of checkpoints for `resume` (default: 10; 0: after each block of steps)",
    )


def seconds(text: str) -> float:
    """Parses a duration of 0 seconds or more."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"invalid time {text!r}: expected seconds, 0 or more")
    return number


def share(text: str) -> float:
    """Parses a share above 0 and up to 1, given as a fraction or with a percent sign."""
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = -1.0
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(
            f"invalid share {text!r}: expected a value such as 0.999 or 99.9%"
        )
    return number


def version(text: str) -> int:
    """Parses a version number."""
    number = model_versions.version_number(text)
    if number is None:
        raise argparse.ArgumentTypeError(
            f"invalid version {text!r}: expected a non-negative integer"
        )
    return number


if __name__ == "__main__":
    sys.exit(main())
