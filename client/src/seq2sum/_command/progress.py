"""Progress of bulk commands: texts as functions of counts, and the line on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from seq2sum._command.terminal import CLEAR_LINE, Terminal, is_terminal

FIRST_DELAY, INTERVAL = 0.5, 0.2
"""Seconds before the line first appears, and between two updates."""
MIN_SECONDS = 0.001
"""Shortest duration from which a rate is computed."""


@dataclass(slots=True)
class Tally:
    """Counts of questions, or of rows, so far."""

    answered: int = 0
    """Those with an answer."""
    refused: int = 0
    """Those without an answer."""

    @property
    def done(self) -> int:
        """Number of both."""
        return self.answered + self.refused


def summary(tally: Tally, seconds: float, unit: str = "questions") -> str:
    """Returns the last line: `1,000,000 answered, 3 refused, in 2.1 s: 476,000 questions/s`."""
    rate = significant(tally.done / max(seconds, MIN_SECONDS))
    return f"{counts(tally)}, in {seconds:.1f} s: {rate:,} {unit}/s"


def progress(tally: Tally, seconds: float, share: float | None) -> str:
    """Returns the progress line, with the share and the remaining time if the share is known."""
    rate = significant(tally.done / max(seconds, MIN_SECONDS))
    line = f"{counts(tally)}, {rate:,}/s"
    if share:
        share = min(share, 1.0)
        line += f", {share:.0%}, {duration(seconds / share - seconds)} left"
    return line


def counts(tally: Tally) -> str:
    """Returns `12 answered, 3 refused`, without the second part if none is refused."""
    refused = f", {tally.refused:,} refused" if tally.refused else ""
    return f"{tally.answered:,} answered{refused}"


def duration(seconds: float) -> str:
    """Formats a duration: `8 s`, `4:07 min`, `2:05 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02} h"


def significant(rate: float) -> int:
    """Rounds to three significant digits."""
    return round(float(f"{rate:.3g}"))


class ProgressLine:
    """The progress line on a terminal; does nothing if the stream is not a terminal.

    Args:
        tally: The counts to show, updated by the caller.
        share: Returns the completed share of the input, or None if it is unknown.
        stream: The stream of the line.
        enabled: Whether to show the line at all.
    """

    def __init__(
        self,
        tally: Tally,
        share: Callable[[], float | None],
        *,
        stream: TextIO | None,
        enabled: bool,
    ) -> None:
        terminal = Terminal.of(stream)
        # Answers that scroll on the same screen show the progress themselves.
        visible = enabled and terminal.live and not is_terminal(sys.stdout)
        self._stream = stream if visible else None
        self._width = terminal.width
        self._tally, self._share = tally, share
        self._start = time.monotonic()
        self._next = self._start + FIRST_DELAY
        self._shown = False

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def show(self) -> None:
        """Updates the line, if an update is due."""
        now = time.monotonic()
        if self._stream is None or now < self._next:
            return
        self._next, self._shown = now + INTERVAL, True
        line = progress(self._tally, now - self._start, self._share())
        self._write(CLEAR_LINE + line[: self._width - 1])

    def clear(self) -> None:
        """Removes the line, so that a message can be printed."""
        if self._shown:
            self._shown = False
            self._write(CLEAR_LINE)

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            self._stream = None
