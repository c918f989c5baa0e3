"""The command line: what there is to say, and the help that teaches it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any, NoReturn

from seq2sum._base_client import DEFAULT_MAX_IN_FLIGHT, DEFAULT_TARGET, DEFAULT_TIMEOUT
from seq2sum._command import values
from seq2sum._command.examples import ADD, COMMAND, DESCRIBE, EXPLAIN, STATUS, WATCH
from seq2sum.addition import contract

TARGET_VARIABLE = "SEQ2SUM_TARGET"


class PackageVersion(argparse.Action):
    """Prints the version of the installed package and ends the process."""

    def __call__(self, command: argparse.ArgumentParser, *_: object) -> None:
        """Looks the version up: nothing else needs it."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("seq2sum")
        except PackageNotFoundError:
            number = "(not installed)"
        print(f"{command.prog} {number}")
        command.exit()


class Parser(argparse.ArgumentParser):
    """argparse with mistakes told in one line, and texts that stay as they are written."""

    def __init__(self, **how: object) -> None:
        super().__init__(
            **how,  # type: ignore[arg-type]  # as argparse takes it
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Ends the process with the message and where to read on."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser(environment: Mapping[str, str] = os.environ) -> Parser:
    """The command line."""
    # Verbs are of the class of the command, parents of any.
    shared: Any = _shared(environment)
    sharing: Any = _shared(environment, split=True)
    command = Parser(
        prog="seq2sum",
        description="Ask a seq2sum model that TensorFlow Serving or seq2sum-serve serves.",
        epilog=COMMAND,
    )
    command.add_argument(
        "--version",
        action=PackageVersion,
        nargs=0,
        dest=argparse.SUPPRESS,  # verbs have an option of this name
        default=argparse.SUPPRESS,
        help="show program's version number and exit",
    )
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(
        name: str, help_: str, description: str, examples: str, parent: Any = shared
    ) -> Parser:
        made: Parser = verbs.add_parser(
            name, parents=[parent], help=help_, description=description, epilog=examples
        )
        return made

    _add(verb("add", "answer questions", "Answer questions, in their order.", ADD, sharing))
    _status(verb("status", "show the versions", "Show the model's versions, newest first.", STATUS))
    _explain(
        verb(
            "explain",
            "show what the network thought",
            "Show the most probable characters for each place of an answer.",
            EXPLAIN,
        )
    )
    _watch(verb("watch", "look again and again", "Watch the versions and a probe.", WATCH))
    describe = verb(
        "describe",
        "show what a version can do",
        "Show a version's digits and signatures, and what it lacks of the contract.",
        DESCRIBE,
    )
    describe.add_argument("--json", action="store_true", help="a JSON object instead of text")
    return command


def _add(verb: Parser) -> None:
    verb.add_argument(
        "questions",
        nargs="*",
        type=values.question,
        metavar="A+B",
        help="two numbers and a plus; without any, questions are read from standard input",
    )
    verb.add_argument(
        "--input",
        nargs="+",
        action="extend",
        metavar="FILE",
        help="read questions from files, one a line; - is standard input",
    )
    verb.add_argument(
        "--output",
        metavar="FILE",
        help="write the answers to a file, which is there when all of it is, or not at all",
    )
    verb.add_argument(
        "--format",
        choices=("text", "csv", "jsonl"),
        default="text",
        help="how answers are written (default: %(default)s)",
    )
    verb.add_argument(
        "--line-buffered",
        action="store_true",
        help="answer each line as it comes, for slow pipes; otherwise thousands share a call",
    )
    verb.add_argument(
        "--all-errors",
        action="store_true",
        help="tell every refused question, not only the first 20",
    )
    verb.add_argument(
        "--quiet", action="store_true", help="no progress, no counts, no rate at the end"
    )


def _status(verb: Parser) -> None:
    verb.add_argument(
        "--wait",
        type=values.seconds,
        metavar="SECONDS",
        help="wait as long for a version that is AVAILABLE, and for the server itself",
    )
    verb.add_argument("--json", action="store_true", help="a JSON object instead of text")


def _explain(verb: Parser) -> None:
    verb.add_argument(
        "questions", nargs="+", type=values.question, metavar="A+B", help="two numbers and a plus"
    )
    verb.add_argument(
        "--top",
        type=values.count,
        default=3,
        metavar="N",
        help="characters shown for each place (default: %(default)s)",
    )
    verb.add_argument(
        "--json", action="store_true", help="a JSON object a question, with the whole alphabet"
    )


def _watch(verb: Parser) -> None:
    verb.add_argument(
        "--interval",
        type=values.seconds,
        default=2.0,
        metavar="SECONDS",
        help="between two looks (default: %(default)g)",
    )
    verb.add_argument("--count", type=values.count, metavar="N", help="end after N looks")
    verb.add_argument(
        "--probe",
        type=values.question,
        default="53+42",
        metavar="A+B",
        help="the question that is asked (default: %(default)s)",
    )


def _shared(environment: Mapping[str, str], *, split: bool = False) -> argparse.ArgumentParser:
    """What every verb takes; with `split`, whose calls may go to several versions too."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.set_defaults(split=None)
    group = shared.add_argument_group("the server")
    group.add_argument(
        "--target",
        type=values.target,
        default=environment.get(TARGET_VARIABLE) or DEFAULT_TARGET,
        metavar="HOST:PORT",
        help="its gRPC port, or several IP:PORT with commas between, or dns:///NAME:PORT "
        f"(default: ${TARGET_VARIABLE}, or {DEFAULT_TARGET})",
    )
    group.add_argument(
        "--model",
        type=values.name,
        default=contract.MODEL_NAME,
        metavar="NAME",
        help="the model's name there (default: %(default)s)",
    )
    version = group.add_mutually_exclusive_group()
    version.add_argument(
        "--version", type=values.version, metavar="N", help="this model version, not the latest"
    )
    version.add_argument(
        "--label", type=values.name, metavar="NAME", help="the version with this label"
    )
    if split:
        version.add_argument(
            "--split",
            type=values.split,
            metavar="WEIGHTS",
            help="share the calls between labels or versions: stable=95,canary=5, or the name of "
            'a file with {"stable": 95, "canary": 5}, whose changes are followed',
        )
    group.add_argument(
        "--timeout",
        type=values.seconds,
        default=DEFAULT_TIMEOUT,
        metavar="SECONDS",
        help="for each call (default: %(default)g)",
    )
    group.add_argument(
        "--in-flight",
        type=values.count,
        default=DEFAULT_MAX_IN_FLIGHT,
        metavar="N",
        help="calls under way at a time (default: %(default)s)",
    )
    group = shared.add_argument_group(
        "encryption (--ca, --cert and --server-name turn it on too; files are PEM)"
    )
    group.add_argument("--tls", action="store_true", help="encrypt the connection")
    group.add_argument("--ca", metavar="FILE", help="who may vouch for the server")
    group.add_argument("--cert", metavar="FILE", help="the client's certificate, with --key")
    group.add_argument("--key", metavar="FILE", help="its private key")
    group.add_argument("--server-name", metavar="NAME", help="the name in the server's certificate")
    group.add_argument(
        "--token-file", metavar="FILE", help="send the token in this file; needs --tls"
    )
    return shared
