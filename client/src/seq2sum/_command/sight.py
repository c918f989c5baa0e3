"""What `watch` shows: one look at a server, and the looks before it, as text."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from seq2sum._command.complaints import one_line, shown
from seq2sum._command.status import line
from seq2sum._command.terminal import BOLD, DIM, GREEN, RED, YELLOW, Terminal
from seq2sum._versions import State, VersionStatus
from seq2sum.addition.answers import Answer

REMEMBERED = 60
"""Latencies that are looked back on."""
OTHER_LINES = 10
"""Lines of a live view beside the versions: what is higher than the screen cannot be redrawn."""
STATE_COLOURS = {State.AVAILABLE: GREEN, State.END: DIM}
"""Others are on their way."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One look."""

    time: str
    """When it was."""
    versions: Sequence[VersionStatus] = ()
    """The versions with their states."""
    answer: Answer | None = None
    """The answer to the probe."""
    seconds: float | None = None
    """The time that it took."""
    errors: tuple[str, ...] = ()
    """What went wrong, in one line each."""


@dataclass(slots=True)
class History:
    """What was seen so far."""

    looks: int = 0
    """Looks at all."""
    failed: int = 0
    """Those with an error."""
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    """Seconds of the last answers."""

    def add(self, sight: Sight) -> None:
        """Takes note of a look."""
        self.looks += 1
        self.failed += bool(sight.errors)
        if sight.seconds is not None:
            self.latencies.append(sight.seconds)


def screen(sight: Sight, history: History, title: str, terminal: Terminal) -> list[str]:
    """The lines of a live view, that fit into the terminal."""
    cut = terminal.width - 1
    lines = [terminal.painted(f"{title}  {sight.time}"[:cut], BOLD), ""]
    room = max(1, terminal.height - OTHER_LINES)
    for entry in sight.versions[:room]:
        colour = STATE_COLOURS.get(entry.state, YELLOW)
        lines.append(terminal.painted(f"  {line(entry)}"[:cut], colour))
    if len(sight.versions) > room:
        lines.append(f"  and {len(sight.versions) - room} older"[:cut])
    if sight.answer is not None:
        lines += ["", f"  {answered(sight.answer)}"[:cut]]
    lines += [terminal.painted(f"  {error}"[:cut], RED) for error in sight.errors]
    lines.append("")
    if history.latencies:
        lines.append(f"  latency  {latency(history)}"[:cut])
    lines.append(f"  looks    {history.looks:,}, {history.failed:,} failed"[:cut])
    return lines


def row(sight: Sight, history: History) -> str:
    """The same look in a line, for a file or a pipe."""
    parts = [
        *sight.errors,
        *([answered(sight.answer)] if sight.answer is not None else []),
        *([f"latency {latency(history)}"] if sight.seconds is not None else []),
        *(line(entry) for entry in sight.versions),
    ]
    return f"{sight.time}  {'; '.join(parts)}"


def answered(answer: Answer) -> str:
    """The probe's answer, as `add` writes it."""
    return (
        f"{shown(answer.question)} = {one_line(answer.text)}  "
        f"(confidence {answer.confidence:.4f}, version {answer.version})"
    )


def latency(history: History) -> str:
    """The last answer's time, and what is usual."""
    known = history.latencies
    least, usual, most = min(known), median(known), max(known)
    return (
        f"{milliseconds(known[-1])}  (min {milliseconds(least)}, median {milliseconds(usual)}, "
        f"max {milliseconds(most)} of the last {len(known)})"
    )


def milliseconds(seconds: float) -> str:
    """A time with three digits: `0.84 ms`, `12.3 ms`, `1,250 ms`."""
    value = seconds * 1000
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f} ms"
