"""The `seq2sum` command: the client for a shell.

Every verb is a module with `run(options)`, which does it and gives back the exit code. What
they print is made by modules that know values only; nothing else imports any of this.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from seq2sum._command.command_line import parser
from seq2sum._command.complaints import Mistake
from seq2sum._command.endings import end_quietly, ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; gives back the exit code."""
    if arguments is None:  # a process of our own
        end_quietly()
    return ended(lambda: _run(arguments), at_once=arguments is None)


def _run(arguments: Sequence[str] | None) -> int:
    options = parser().parse_args(arguments)
    if sys.stdout is None and getattr(options, "output", None) is None:
        raise Mistake("standard output is closed")
    code: int = import_module(f"seq2sum._command.{options.verb}").run(options)
    return code
