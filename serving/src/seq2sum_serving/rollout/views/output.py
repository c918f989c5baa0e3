"""Standard output: as wide as the terminal, and in a pipe or a file as wide as its lines are."""

from __future__ import annotations

import os
import sys

from rich.console import Console

UNBOUNDED = 10_000
"""Columns where nobody sees an edge: `grep` and `awk` want a line for each row."""


def console(*, quiet: bool = False) -> Console:
    """Returns a console that breaks lines at the edge of a terminal, or at $COLUMNS if it is set.

    Args:
        quiet: Whether nothing is printed at all.
    """
    bounded = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(quiet=quiet, width=None if bounded else UNBOUNDED)
