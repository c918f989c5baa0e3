"""Standard output: lines wrap at the width of a terminal, and never in a pipe or a file."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

UNBOUNDED = 10_000
"""Width of a pipe or a file in columns: `grep` and `awk` need each row on one line."""


class PlainConsole(Console):
    """A console that raises BrokenPipeError; rich's own would end the process with exit code 1."""

    def on_broken_pipe(self) -> None:
        """Raises BrokenPipeError."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def console(*, quiet: bool = False) -> Console:
    """Returns a console that wraps lines at the width of the terminal, or at $COLUMNS if set.

    Args:
        quiet: Print nothing.
    """
    bounded = sys.stdout.isatty() or "COLUMNS" in os.environ
    return PlainConsole(quiet=quiet, width=None if bounded else UNBOUNDED)


@contextmanager
def optional() -> Iterator[None]:
    """Suppresses errors of standard output, so that they do not change the exit code."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            print(f"cannot write to standard output: {error.strerror}", file=sys.stderr)
        discard()


def discard() -> None:
    """Discards all further output; otherwise the flush at exit would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
