"""The `seq2sum` command: the client for a shell.

Every subcommand is a module with `run(options)`, which returns the exit code. The modules that
format output are functions of values. The rest of the client does not import this package.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from seq2sum import _interrupts
from seq2sum._command.command_line import parser
from seq2sum._command.errors import UsageError
from seq2sum._command.exit_codes import install_exit_handlers, run_to_exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    if arguments is not None:
        return run_to_exit_code(lambda: _run(arguments))
    install_exit_handlers()  # the command is the whole process
    return run_to_exit_code(_run_interruptibly, exit_process=True)


def _run_interruptibly() -> int:
    _interrupts.restore()
    return _run(None)


def _run(arguments: Sequence[str] | None) -> int:
    command = parser()
    if "_ARGCOMPLETE" in os.environ:  # tab completion: prints the completions and exits
        import argcomplete

        argcomplete.autocomplete(command)
    options = command.parse_args(arguments)
    if sys.stdout is None and getattr(options, "output", None) is None:
        raise UsageError("standard output is closed")
    code: int = import_module(f"seq2sum._command.{options.subcommand}").run(options)
    return code
