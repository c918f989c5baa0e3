"""A server that is not `seq2sum-serve`, as far as tests can see: for SEQ2SUM_SERVER_COMMAND.

It is the embedded server without all that is only its own, so that the suite can be tried against
another server where no tensorflow_model_server is at hand:

    SEQ2SUM_SERVER_COMMAND="python tests/other_server.py --port={port} ..." make test

It logs other lines, lacks our flags and page, ignores arguments that it does not know, and a
signal ends it at once. Whatever fails with it rests on something that no other server has, and the
test is to be mended, or marked `embedded`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

from seq2sum_serving.embedded import cli
from seq2sum_serving.embedded.flags import Flags

OWN_FLAGS = {"host", "shutdown_grace_seconds", "server_processes"}
PREFIX = "2026-01-01 00:00:00.000000: I external/other_server/main.cc:1] "


def main(arguments: Sequence[str]) -> int:
    """Runs the server; returns the exit code."""
    logging.basicConfig(level=logging.CRITICAL + 1)  # the first call counts: our lines are gone
    print(f"{PREFIX}Building single TensorFlow model file config", file=sys.stderr, flush=True)
    cli.serve = without_page(cli.serve)
    asyncio.SelectorEventLoop.add_signal_handler = unhandled
    return cli.main([one for one in arguments if is_known(one)])


def without_page(serve: Callable[[Flags], int]) -> Callable[[Flags], int]:
    """Leaves the plain 404 page at `/`."""

    def served(flags: Flags) -> int:
        from seq2sum_serving.embedded.rest.page import Page  # imports TensorFlow

        Page.reply = lambda *_: None
        return serve(flags)

    return served


def unhandled(*_: Any) -> None:
    """A signal does what the system does with it."""


def is_known(argument: str) -> bool:
    """Whether it is a flag of tensorflow_model_server, in its only form."""
    name = argument.removeprefix("--").partition("=")[0]
    fields = {field.name for field in dataclasses.fields(Flags)} - OWN_FLAGS
    if argument.startswith("--") and name in fields:
        return True
    print(f"unknown argument: {argument}", file=sys.stderr, flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
