"""Capabilities of the terminal at the other end of a stream."""

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
GREEN, YELLOW, RED, DIM, BOLD = "32", "33", "31", "2", "1"


@dataclass(frozen=True, slots=True)
class Terminal:
    """Capabilities of an output stream."""

    live: bool = False
    """Whether the stream is a terminal on which the cursor can be moved."""
    colour: bool = False
    """Whether to use colours."""
    blocks: bool = False
    """Whether the encoding has block elements; otherwise plain ASCII is used."""
    width: int = 80
    """Characters per line."""
    height: int = 24
    """Lines."""

    @classmethod
    def of(cls, stream: TextIO | None, environment: Mapping[str, str] = os.environ) -> Terminal:
        """Returns the capabilities of a stream; respects `NO_COLOR` and `TERM=dumb`."""
        live = is_terminal(stream) and environment.get("TERM", "dumb") != "dumb"
        size = shutil.get_terminal_size()
        return cls(
            live=live,
            colour=live and not environment.get("NO_COLOR"),
            blocks=_can_encode(stream, EIGHTHS + BLANK),
            width=max(20, size.columns),
            height=size.lines,
        )

    def painted(self, text: str, code: str) -> str:
        """Returns the text in the colour of an SGR code, if colours are used."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


def is_terminal(stream: TextIO | None) -> bool:
    """Returns whether a stream is open and interactive."""
    return stream is not None and stream.isatty()


def _can_encode(stream: TextIO | None, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
