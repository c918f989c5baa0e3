"""The `seq2sum-train` command: its options, its exit codes."""

from __future__ import annotations

import argparse
import math
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from seq2sum import model_versions

from seq2sum_training import commands
from seq2sum_training import recipe as recipes
from seq2sum_training.errors import Interrupted, UserError

DONE, FAILED, INTERRUPTED = 0, 1, 130
EXAMPLES = """\
examples:
  seq2sum-train fit default --out runs/mine
  seq2sum-train evaluate runs/mine
  seq2sum-train export runs/mine --to models/seq2sum

exit codes:
  0  done, and nothing is wrong          2    the command line is wrong
  1  failed, or answers are wrong        130  interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; gives back the exit code."""
    options = parser().parse_args(arguments)
    # As Ctrl-C does, so that what is half-made is cleared away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        options.do(options)
    except UserError as error:
        print(f"seq2sum-train: {error}", file=sys.stderr)
        return INTERRUPTED if isinstance(error, Interrupted) else FAILED
    except OSError as error:  # a folder without permission, a name that is too long
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
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--version", action="version", version=f"%(prog)s {metadata.version('seq2sum-training')}"
    )
    add = command.add_subparsers(required=True, metavar="VERB").add_parser

    def verb(
        name: str, do: Callable[[argparse.Namespace], None], help_: str, description: str
    ) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = add(name, help=help_, description=description)
        made.set_defaults(do=do)
        return made

    fit = verb(
        "fit",
        commands.fit,
        "train a recipe into a run folder",
        "Train a recipe into a new run folder. A recipe with rounds of polish ends with a check "
        "over training pairs: exit code 0 if it is clean; otherwise 1, and the run folder holds "
        "the best weights that a check has seen. `resume` continues an interrupted run.",
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
        help="change a value of the recipe, e.g. seed=7 or fit.steps=500; may be repeated",
    )
    fit.add_argument(
        "--stop-at",
        type=share,
        metavar="SHARE",
        help="end early once this share of the probe, 1,024 training questions, is answered "
        "right, e.g. 0.999 or 99.9%%; no polish then",
    )

    _checkpoints(fit)

    resume = verb(
        "resume",
        commands.resume,
        "continue an interrupted run",
        "Continue a run that was interrupted or killed, from its last checkpoint. It ends in the "
        "same weights, bit for bit, as a run that was not.",
    )
    _run(resume)
    _checkpoints(resume)

    evaluate = verb(
        "evaluate",
        commands.evaluate,
        "ask a trained run every question there is",
        "Ask a trained run every question with up to 3 digits, or a million random ones above, "
        "and write evaluation.json, wrong.csv and report.html into its folder. Exit code 0 if "
        "every answer is right, 1 if not.",
    )
    _run(evaluate)
    evaluate.add_argument(
        "--allow-errors", action="store_true", help="exit with 0 even if answers are wrong"
    )

    report = verb(
        "report",
        commands.report,
        "write the report of an evaluated run again",
        "Write report.html of an evaluated run again, optionally compared with other runs.",
    )
    _run(report)
    report.add_argument(
        "--against", type=Path, nargs="+", default=[], metavar="RUN", help="runs to compare with"
    )

    export = verb(
        "export",
        commands.export,
        "publish a trained run as a model version",
        "Publish a trained run as a version below a model's base path: a SavedModel with its "
        "golden questions, contract and model card. The version appears only after the golden "
        "questions were answered right, in memory and from disk.",
    )
    _run(export)
    export.add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="BASE",
        help="the model's base path, the folder that a server watches, e.g. models/seq2sum",
    )
    export.add_argument(
        "--version", type=version, metavar="N", help="its number (default: the next free one)"
    )
    export.add_argument(
        "--force",
        action="store_true",
        help="publish even if golden questions are answered wrongly; the model card and "
        "contract.json then say so",
    )

    show = verb(
        "show",
        commands.show,
        "show what a run folder or a version directory holds",
        "Show what a run folder or a version directory holds: network, training, errors, "
        "signatures.",
    )
    show.add_argument("path", type=Path, metavar="RUN_OR_VERSION")
    return command


def _run(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("run", type=Path, metavar="RUN", help="a run folder")


def _checkpoints(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--checkpoint-every",
        type=seconds,
        default=10.0,
        metavar="SECONDS",
        help="how often a state is kept from which `resume` goes on (default: 10; 0: each block)",
    )


def seconds(text: str) -> float:
    """A time from the command line."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"invalid time {text!r}: expected seconds, 0 or more")
    return number


def share(text: str) -> float:
    """A share from the command line: a fraction, or per cent with the sign."""
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = -1.0
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share: write 0.999 or 99.9%")
    return number


def version(text: str) -> int:
    """A version from the command line."""
    number = model_versions.version_number(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a version: 0, 1, 2 and so on")
    return number


if __name__ == "__main__":
    sys.exit(main())
