"""The command line: subcommands, options and their help."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any, NoReturn

from seq2sum._command import argument_types as types
from seq2sum._command.examples import ADD, COMMAND, DESCRIBE, EXPLAIN, PREDICT, STATUS, WATCH
from seq2sum._command.shared_options import shared_options
from seq2sum._predict_calls import DEFAULT_SIGNATURE


class PackageVersion(argparse.Action):
    """Prints the version of the installed package and ends the process."""

    def __call__(self, command: argparse.ArgumentParser, *_: object) -> None:
        """Prints the version and ends the process."""
        # Not at the top of the module, because the import is slow.
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("seq2sum")
        except PackageNotFoundError:
            number = "(not installed)"
        print(f"{command.prog} {number}")
        command.exit()


class Parser(argparse.ArgumentParser):
    """argparse with one-line errors, and with help texts that are not reflowed."""

    def __init__(self, **options: object) -> None:
        super().__init__(
            **options,  # type: ignore[arg-type]  # passed to argparse unchanged
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Ends the process with the message and a reference to the help."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser(environment: Mapping[str, str] = os.environ) -> Parser:
    """Returns the parser of the command line."""
    shared: Any = shared_options(environment)
    shared_with_split: Any = shared_options(environment, split=True)
    command = Parser(
        prog="seq2sum",
        description="Call a model that is served by TensorFlow Serving or seq2sum-serve.",
        epilog=COMMAND,
    )
    command.add_argument(
        "--version",
        action=PackageVersion,
        nargs=0,
        dest=argparse.SUPPRESS,  # subcommands have an option of this name
        default=argparse.SUPPRESS,
        help="show program's version number and exit",
    )
    subcommands = command.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")

    def subcommand(
        name: str, help_: str, description: str, examples: str, parent: Any = shared
    ) -> Parser:
        subcommand_parser: Parser = subcommands.add_parser(
            name, parents=[parent], help=help_, description=description, epilog=examples
        )
        return subcommand_parser

    _predict(
        subcommand(
            "predict",
            "send rows to any model",
            "Send rows of JSON to a model, and write its outputs in order.",
            PREDICT,
            shared_with_split,
        )
    )
    _add(
        subcommand("add", "answer questions", "Answer questions in order.", ADD, shared_with_split)
    )
    _status(
        subcommand(
            "status", "show the versions", "Show the model's versions, newest first.", STATUS
        )
    )
    _explain(
        subcommand(
            "explain",
            "show the probabilities of an answer",
            "Show the most probable characters at each position of an answer.",
            EXPLAIN,
        )
    )
    _watch(subcommand("watch", "poll a server", "Poll the versions, and send a probe.", WATCH))
    describe = subcommand(
        "describe",
        "show the signatures of a version",
        "Show a version's signatures; of a model that adds, also its digits and what is missing.",
        DESCRIBE,
    )
    describe.add_argument("--json", action="store_true", help="print a JSON object")
    return command


def _predict(subcommand: Parser) -> None:
    subcommand.add_argument(
        "--input",
        nargs="+",
        action="extend",
        metavar="FILE",
        help="read rows from files, one per line; - is standard input, the default",
    )
    subcommand.add_argument(
        "--output",
        metavar="FILE",
        help="write the outputs to a file, which is replaced only when all are written",
    )
    subcommand.add_argument(
        "--format",
        choices=("jsonl", "csv"),
        default="jsonl",
        help="output format (default: %(default)s)",
    )
    subcommand.add_argument(
        "--signature",
        default=DEFAULT_SIGNATURE,
        metavar="NAME",
        help="the signature to call (default: %(default)s)",
    )
    subcommand.add_argument(
        "--outputs", nargs="+", metavar="NAME", help="the outputs to write (default: all)"
    )
    subcommand.add_argument(
        "--batch-size",
        type=types.count,
        default=128,
        metavar="N",
        help="rows in one call (default: %(default)s)",
    )
    subcommand.add_argument(
        "--line-buffered",
        action="store_true",
        help="send each line when it arrives, for slow pipes",
    )
    subcommand.add_argument("--quiet", action="store_true", help="print no progress or counts")


def _add(subcommand: Parser) -> None:
    subcommand.add_argument(
        "questions",
        nargs="*",
        type=types.question,
        metavar="A+B",
        help="a question such as 53+42; without any, questions are read from standard input",
    )
    subcommand.add_argument(
        "--input",
        nargs="+",
        action="extend",
        metavar="FILE",
        help="read questions from files, one per line; - is standard input",
    )
    subcommand.add_argument(
        "--output",
        metavar="FILE",
        help="write the answers to a file, which is replaced only when all are written",
    )
    subcommand.add_argument(
        "--format",
        choices=("text", "csv", "jsonl"),
        default="text",
        help="output format (default: %(default)s)",
    )
    subcommand.add_argument(
        "--line-buffered",
        action="store_true",
        help="answer each line when it arrives, for slow pipes, instead of thousands per call",
    )
    subcommand.add_argument(
        "--all-errors",
        action="store_true",
        help="print every refused question, not only the first 20",
    )
    subcommand.add_argument(
        "--quiet", action="store_true", help="print no progress, counts or rate"
    )


def _status(subcommand: Parser) -> None:
    subcommand.add_argument(
        "--wait",
        type=types.seconds,
        metavar="SECONDS",
        help="wait up to this time for the server and for an AVAILABLE version",
    )
    subcommand.add_argument("--json", action="store_true", help="print a JSON object")


def _explain(subcommand: Parser) -> None:
    subcommand.add_argument(
        "questions", nargs="+", type=types.question, metavar="A+B", help="a question such as 53+42"
    )
    subcommand.add_argument(
        "--top",
        type=types.count,
        default=3,
        metavar="N",
        help="characters per position (default: %(default)s)",
    )
    subcommand.add_argument(
        "--json", action="store_true", help="print a JSON object per question, with all characters"
    )


def _watch(subcommand: Parser) -> None:
    subcommand.add_argument(
        "--interval",
        type=types.seconds,
        default=2.0,
        metavar="SECONDS",
        help="time between two polls (default: %(default)g)",
    )
    subcommand.add_argument("--count", type=types.count, metavar="N", help="end after N polls")
    subcommand.add_argument(
        "--probe",
        type=types.question,
        metavar="A+B|ROW",
        help="a question, or a row of inputs as JSON, like those of predict (default: 53+42 for "
        "the model seq2sum, none for others)",
    )
    subcommand.add_argument(
        "--signature",
        metavar="NAME",
        help=f"the signature of a probe that is a row (default: {DEFAULT_SIGNATURE})",
    )
