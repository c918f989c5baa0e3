"""Ctrl-C while the `seq2sum` command imports its modules: it exits silently, as it does later.

The import of gRPC takes a large part of a second, and a command's script imports this package
before it calls anything. Programs that use the package as a library are not affected.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import PurePath

INTERRUPTED = 128 + signal.SIGINT


def exit_silently(*_: object) -> None:
    """Ends the process with the exit code of an interrupted command."""
    os._exit(INTERRUPTED)


def is_command() -> bool:
    """Returns whether this process is the `seq2sum` command."""
    script = PurePath(sys.argv[0]).name if getattr(sys, "argv", None) else ""
    return script in ("seq2sum", "seq2sum.exe") or "seq2sum._command" in sys.orig_argv[1:3]


def restore() -> None:
    """Makes Ctrl-C raise KeyboardInterrupt again, after the imports."""
    if signal.getsignal(signal.SIGINT) is exit_silently:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    with suppress(ValueError):  # imported by a thread other than the main one
        signal.signal(signal.SIGINT, exit_silently)
