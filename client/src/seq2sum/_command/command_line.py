"""The command line: subcommands, options and their help."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any, NoReturn

from seq2sum._base_client import DEFAULT_MAX_IN_FLIGHT, DEFAULT_TARGET, DEFAULT_TIMEOUT
from seq2sum._command import argument_types as types
from seq2sum._command.examples import ADD, COMMAND, DESCRIBE, EXPLAIN, STATUS, WATCH
from seq2sum.addition import contract

TARGET_VARIABLE = "SEQ2SUM_TARGET"


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
    shared: Any = _shared(environment)
    shared_with_split: Any = _shared(environment, split=True)
    command = Parser(
        prog="seq2sum",
        description="Call a seq2sum model that is served by TensorFlow Serving or seq2sum-serve.",
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
    _watch(subcommand("watch", "poll a server", "Poll the versions and a probe question.", WATCH))
    describe = subcommand(
        "describe",
        "show the signatures of a version",
        "Show a version's digits and signatures, and what is missing from the contract.",
        DESCRIBE,
    )
    describe.add_argument("--json", action="store_true", help="print a JSON object")
    return command


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
        default="53+42",
        metavar="A+B",
        help="the probe question (default: %(default)s)",
    )


def _shared(environment: Mapping[str, str], *, split: bool = False) -> argparse.ArgumentParser:
    """Returns a parent parser with the options of every subcommand, and with --split if `split`."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.set_defaults(split=None)
    group = shared.add_argument_group("server")
    group.add_argument(
        "--target",
        type=types.target,
        default=environment.get(TARGET_VARIABLE) or DEFAULT_TARGET,
        metavar="HOST:PORT",
        help="gRPC address, or several IP:PORT with commas between, or dns:///NAME:PORT "
        f"(default: ${TARGET_VARIABLE}, or {DEFAULT_TARGET})",
    )
    group.add_argument(
        "--model",
        type=types.name,
        default=contract.MODEL_NAME,
        metavar="NAME",
        help="name of the model on the server (default: %(default)s)",
    )
    version = group.add_mutually_exclusive_group()
    version.add_argument(
        "--version", type=types.version, metavar="N", help="use this version instead of the latest"
    )
    version.add_argument(
        "--label", type=types.name, metavar="NAME", help="use the version with this label"
    )
    if split:
        version.add_argument(
            "--split",
            type=types.split,
            metavar="WEIGHTS",
            help="split the calls between labels, versions or targets: stable=95,canary=5, or the "
            'name of a file with {"stable": 95, "canary": 5}, which is read again when it changes',
        )
    group.add_argument(
        "--timeout",
        type=types.seconds,
        default=DEFAULT_TIMEOUT,
        metavar="SECONDS",
        help="deadline of each call (default: %(default)g)",
    )
    group.add_argument(
        "--max-in-flight",
        type=types.count,
        default=DEFAULT_MAX_IN_FLIGHT,
        metavar="N",
        help="maximum number of concurrent calls (default: %(default)s)",
    )
    group = shared.add_argument_group(
        "TLS (also enabled by --ca, --cert and --server-name; files are PEM)"
    )
    group.add_argument("--tls", action="store_true", help="use TLS")
    group.add_argument("--ca", metavar="FILE", help="trusted certificate authorities")
    group.add_argument("--cert", metavar="FILE", help="the client's certificate; needs --key")
    group.add_argument("--key", metavar="FILE", help="the private key of --cert")
    group.add_argument("--server-name", metavar="NAME", help="the name in the server's certificate")
    group.add_argument(
        "--token-file", metavar="FILE", help="send the token in this file; needs --tls"
    )
    return shared
