"""Runs the embedded server without the features that tensorflow_model_server lacks.

It stands in for a real server as SEQ2SUM_SERVER_COMMAND where none is installed:

    SEQ2SUM_SERVER_COMMAND="python tests/other_server.py --port={port} ..." make test

It logs different lines, lacks our additional flags and the web page, ignores unknown arguments, and
a signal ends it at once. A test that fails with it depends on a feature of the embedded server: fix
the test or mark it `embedded`.
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

OWN_FLAGS = {"host", "shutdown_grace_seconds"}
PREFIX = "2026-01-01 00:00:00.000000: I external/other_server/main.cc:1] "


def main(arguments: Sequence[str]) -> int:
    """Runs the server; returns the exit code."""
    logging.basicConfig(level=logging.CRITICAL + 1)  # later calls are ignored, so our log is off
    print(f"{PREFIX}Building single TensorFlow model file config", file=sys.stderr, flush=True)
    cli.serve = without_page(cli.serve)
    asyncio.SelectorEventLoop.add_signal_handler = unhandled
    return cli.main([each for each in arguments if is_known(each)])


def without_page(serve: Callable[[Flags], int]) -> Callable[[Flags], int]:
    """Returns `serve` without the web page at `/`, which becomes a 404 error."""

    def served(flags: Flags) -> int:
        from seq2sum_serving.embedded.rest.page import Page  # imports TensorFlow

        Page.reply = lambda *_: None
        return serve(flags)

    return served


def unhandled(*_: Any) -> None:
    """Installs no signal handler, so that a signal ends the process at once."""


def is_known(argument: str) -> bool:
    """Returns whether an argument is `--flag=value` with a flag of tensorflow_model_server."""
    name = argument.removeprefix("--").partition("=")[0]
    fields = {field.name for field in dataclasses.fields(Flags)} - OWN_FLAGS
    if argument.startswith("--") and name in fields:
        return True
    print(f"unknown argument: {argument}", file=sys.stderr, flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
