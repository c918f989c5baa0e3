"""What the other end of a stream can show."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

EIGHTHS = "▏▎▍▌▋▊▉█"
BLANK = "␣"
UP = "\x1b[{}F"
CLEAR_LINE = "\r\x1b[K"
CLEAR_BELOW = "\x1b[J"
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


@dataclass(frozen=True, slots=True)
class Terminal:
    """What may be written."""

    live: bool = False
    """Whether somebody watches, and the cursor can be moved."""
    colour: bool = False
    """Whether colours are wanted."""
    blocks: bool = False
    """Whether the encoding has block elements; plain ASCII if not."""
    width: int = 80
    """Characters in a line."""
    height: int = 24
    """Lines."""

    @classmethod
    def of(cls, stream: TextIO | None, environment: Mapping[str, str] = os.environ) -> Terminal:
        """What this stream can show. `NO_COLOR` and `TERM=dumb` are respected."""
        live = is_terminal(stream) and environment.get("TERM", "dumb") != "dumb"
        size = shutil.get_terminal_size()
        return cls(
            live=live,
            colour=live and not environment.get("NO_COLOR"),
            blocks=_can(stream, EIGHTHS + BLANK),
            width=max(20, size.columns),
            height=size.lines,
        )

    def painted(self, text: str, code: str) -> str:
        """The text in a colour, by its SGR code, where colours are wanted."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


GREEN, YELLOW, RED, DIM, BOLD = "32", "33", "31", "2", "1"


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody watches or writes at the other end."""
    return stream is not None and stream.isatty()


def _can(stream: TextIO | None, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
