"""Renders rich renderables as text."""

from __future__ import annotations

import io

from rich.console import Console


def shown(renderable, *, width=80, terminal=False):
    """Returns the lines without trailing blanks."""
    console = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=terminal,
        color_system="standard" if terminal else None,
        no_color=False,
        legacy_windows=False,
    )
    console.print(renderable)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]
