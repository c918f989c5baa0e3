"""The `seq2sum` command: the client for a shell."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from seq2sum import contract
from seq2sum._answers import Answer
from seq2sum._client import Client
from seq2sum._configuration import DEFAULT_TARGET, DEFAULT_TIMEOUT
from seq2sum._errors import ModelNotFound, Seq2SumError, VersionNotFound

DONE, FAILED = 0, 1  # argparse itself exits with 2 for a command line that is wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; gives back the exit code."""
    options = parser().parse_args(arguments)
    try:
        with Client(options.target, model=options.model, timeout=options.timeout) as client:
            return add(client, options) if options.verb == "add" else status(client)
    except Seq2SumError as error:
        print(f"seq2sum: {error}{advice(error, options.target)}", file=sys.stderr)
        return FAILED


def parser() -> argparse.ArgumentParser:
    """The command line."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--target",
        default=DEFAULT_TARGET,
        metavar="HOST:PORT",
        help="the server's gRPC port (default: %(default)s)",
    )
    shared.add_argument(
        "--model",
        type=model,
        default=contract.MODEL_NAME,
        help="the model's name there (default: %(default)s)",
    )
    shared.add_argument(
        "--timeout",
        type=seconds,
        default=DEFAULT_TIMEOUT,
        metavar="SECONDS",
        help="give up after this time (default: %(default)g)",
    )
    command = argparse.ArgumentParser(
        prog="seq2sum",
        description="Ask a seq2sum model that TensorFlow Serving or seq2sum-serve serves.",
        epilog="Exit status: 0 all answered, 1 something was not, 2 wrong command line.",
    )
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB")
    adder = verbs.add_parser(
        "add",
        parents=[shared],
        help="answer questions",
        description='Answer questions: seq2sum add "53+42" "999+1"',
    )
    adder.add_argument("questions", nargs="+", metavar="A+B", help="two numbers and a plus")
    adder.add_argument(
        "--version", type=version, metavar="N", help="ask this model version, not the latest"
    )
    verbs.add_parser(
        "status",
        parents=[shared],
        help="show the versions that the server has",
        description="Show every version of the model that the server knows, newest first.",
    )
    return command


def version(text: str) -> int:
    """A version from the command line."""
    number = contract.version_number(text)
    if number is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a version: 0, 1, 2 and so on")
    return number


def seconds(text: str) -> float:
    """A time from the command line."""
    value = float(text)
    if not value >= 0:  # NaN is neither
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: seconds, 0 or more")
    return value


def model(text: str) -> str:
    """A model name from the command line: text, and not bytes that no encoding has."""
    if not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is not a name")
    return text


def add(client: Client, options: argparse.Namespace) -> int:
    """Prints an answer for each question; bad ones go to stderr and fail no other."""
    answers = client.add_many(options.questions, version=options.version)
    for answer in answers:
        if answer.error:
            print(f"seq2sum: {answer.error}", file=sys.stderr)
        else:
            print(line(answer))
    return FAILED if any(answer.error for answer in answers) else DONE


def line(answer: Answer) -> str:
    """One answer for a reader, and for `awk '{print $3}'`."""
    return (
        f"{answer.question!s} = {answer.text}  "
        f"(confidence {answer.confidence:.4f}, version {answer.version})"
    )


def status(client: Client) -> int:
    """Prints the versions."""
    for entry in client.versions():
        print(f"version {entry.version}  {entry.state.name}  {entry.error}".rstrip())
    return DONE


def advice(error: Seq2SumError, target: str) -> str:
    """What to do about it, where that is known."""
    if isinstance(error, ConnectionError):
        return f"; is a server running at {target}? Start one, or name another with --target"
    if isinstance(error, VersionNotFound):
        return f"; see which versions it has: seq2sum status --target {target}"
    if isinstance(error, ModelNotFound):
        return "; name the model that it serves with --model"
    return ""


if __name__ == "__main__":
    sys.exit(main())
