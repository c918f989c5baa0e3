"""What a reader of a terminal sees."""

from __future__ import annotations

import io

from rich.console import Console


def shown(renderable, *, width=80, terminal=False):
    """The lines, without blanks at their ends."""
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
