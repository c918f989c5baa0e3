"""Standard output: as wide as the terminal, and in a pipe or a file as wide as its lines are."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

UNBOUNDED = 10_000
"""Columns where nobody sees an edge: `grep` and `awk` want a line for each row."""


class PlainConsole(Console):
    """A console without rich's way to end the process when nobody reads its output."""

    def on_broken_pipe(self) -> None:
        """Raises the error again: exit code 1 would say that the verb failed."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def console(*, quiet: bool = False) -> Console:
    """Returns a console that breaks lines at the edge of a terminal, or at $COLUMNS if it is set.

    Args:
        quiet: Whether nothing is printed at all.
    """
    bounded = sys.stdout.isatty() or "COLUMNS" in os.environ
    return PlainConsole(quiet=quiet, width=None if bounded else UNBOUNDED)


@contextmanager
def optional() -> Iterator[None]:
    """Prints what it can: a closed pipe or a full disk does not change what was done."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            print(f"cannot write to standard output: {error.strerror}", file=sys.stderr)
        discard()


def discard() -> None:
    """Drops all further output; the flush at exit would fail again otherwise."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
