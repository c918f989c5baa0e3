"""How far it is: texts as functions of figures, and the line of a terminal that shows them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from seq2sum._command.terminal import CLEAR_LINE, Terminal, is_terminal

FIRST, EVERY = 0.5, 0.2
"""Seconds before there is progress to show at all, and between two looks of it."""
SHORTEST = 0.001
"""Seconds that a rate is computed from at least."""


@dataclass(slots=True)
class Tally:
    """What has been done so far."""

    answered: int = 0
    """Questions with an answer."""
    refused: int = 0
    """Questions without."""

    @property
    def done(self) -> int:
        """Both."""
        return self.answered + self.refused


def summary(tally: Tally, seconds: float) -> str:
    """The last line: `1,000,000 answered, 3 refused, in 2.1 s: 476,000 questions/s`."""
    rate = significant(tally.done / max(seconds, SHORTEST))
    return f"{counts(tally)}, in {seconds:.1f} s: {rate:,} questions/s"


def progress(tally: Tally, seconds: float, share: float | None) -> str:
    """The line while it runs, with the share and the time left if the share is known."""
    rate = significant(tally.done / max(seconds, SHORTEST))
    line = f"{counts(tally)}, {rate:,}/s"
    if share:
        share = min(share, 1.0)
        line += f", {share:.0%}, {duration(seconds / share - seconds)} left"
    return line


def counts(tally: Tally) -> str:
    """`12 answered, 3 refused`, without what is not there."""
    refused = f", {tally.refused:,} refused" if tally.refused else ""
    return f"{tally.answered:,} answered{refused}"


def duration(seconds: float) -> str:
    """A time for a reader: `8 s`, `4:07 min`, `2:05 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02} h"


def significant(rate: float) -> int:
    """A rate without digits that mean nothing: three of them."""
    return round(float(f"{rate:.3g}"))


class Meter:
    """The progress line at the bottom of a terminal, or nothing where there is none.

    Args:
        tally: What has been done.
        share: How much of the whole that is, if it is known.
        stream: Where it is shown.
        wanted: Whether it is wanted at all.
    """

    def __init__(
        self,
        tally: Tally,
        share: Callable[[], float | None],
        *,
        stream: TextIO | None,
        wanted: bool,
    ) -> None:
        terminal = Terminal.of(stream)
        # Where answers scroll by on the same screen, they are the progress.
        self._stream = stream if wanted and terminal.live and not is_terminal(sys.stdout) else None
        self._width = terminal.width
        self._tally, self._share = tally, share
        self._began = time.monotonic()
        self._next = self._began + FIRST
        self._drawn = False

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def show(self) -> None:
        """Draws the line, if it is time for it."""
        now = time.monotonic()
        if self._stream is None or now < self._next:
            return
        self._next, self._drawn = now + EVERY, True
        line = progress(self._tally, now - self._began, self._share())
        self._write(CLEAR_LINE + line[: self._width - 1])

    def clear(self) -> None:
        """Takes the line away, so that something else can be told."""
        if self._drawn:
            self._drawn = False
            self._write(CLEAR_LINE)

    def _write(self, text: str) -> None:
        assert self._stream is not None  # or there is nothing to draw
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._stream = None
