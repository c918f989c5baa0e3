"""The output of `watch`: the latest snapshot of a server and the history of polls, as text."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from seq2sum._command.errors import one_line, question_text
from seq2sum._command.status import line
from seq2sum._command.terminal import BOLD, DIM, GREEN, RED, YELLOW, Terminal
from seq2sum._versions import State, VersionStatus
from seq2sum.addition.answers import Answer

MAX_LATENCIES = 60
"""Number of latest latencies in the statistics."""
MAX_REPLY = 200
"""Characters of a model's outputs that are shown."""
OTHER_LINES = 10
"""Lines of a live view in addition to the versions; only what fits the screen can be redrawn."""
STATE_COLOURS = {State.AVAILABLE: GREEN, State.END: DIM}
"""The other states, which are transitions, are yellow."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The result of one poll."""

    time: str
    """Local time of the poll."""
    versions: Sequence[VersionStatus] = ()
    """Versions with their states."""
    reply: str | None = None
    """Reply to the probe, in one line."""
    seconds: float | None = None
    """Latency of this reply."""
    errors: tuple[str, ...] = ()
    """Errors, one line each."""


@dataclass(slots=True)
class History:
    """Statistics over all polls."""

    polls: int = 0
    """Number of polls."""
    failed: int = 0
    """Polls with an error."""
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_LATENCIES))
    """Latencies of the latest answers, in seconds."""

    def add(self, snapshot: Snapshot) -> None:
        """Adds a poll."""
        self.polls += 1
        self.failed += bool(snapshot.errors)
        if snapshot.seconds is not None:
            self.latencies.append(snapshot.seconds)


def screen(snapshot: Snapshot, history: History, title: str, terminal: Terminal) -> list[str]:
    """Returns the lines of a live view, cut to the terminal's size."""
    width = terminal.width - 1
    lines = [terminal.painted(f"{title}  {snapshot.time}"[:width], BOLD), ""]
    room = max(1, terminal.height - OTHER_LINES)
    for status in snapshot.versions[:room]:
        colour = STATE_COLOURS.get(status.state, YELLOW)
        lines.append(terminal.painted(f"  {line(status)}"[:width], colour))
    if len(snapshot.versions) > room:
        lines.append(f"  and {len(snapshot.versions) - room} older"[:width])
    if snapshot.reply is not None:
        lines += ["", f"  {snapshot.reply}"[:width]]
    lines += [terminal.painted(f"  {error}"[:width], RED) for error in snapshot.errors]
    lines.append("")
    if history.latencies:
        lines.append(f"  latency  {latency(history)}"[:width])
    lines.append(f"  polls    {history.polls:,}, {history.failed:,} failed"[:width])
    return lines


def log_line(snapshot: Snapshot, history: History) -> str:
    """Returns a snapshot and the latency statistics in one line, for a file or a pipe."""
    parts = [
        *snapshot.errors,
        *([snapshot.reply] if snapshot.reply is not None else []),
        *([f"latency {latency(history)}"] if snapshot.seconds is not None else []),
        *map(line, snapshot.versions),
    ]
    return f"{snapshot.time}  {'; '.join(parts)}"


def answer_line(answer: Answer) -> str:
    """Returns the answer to the probe question in the text format of `add`."""
    return (
        f"{question_text(answer.question)} = {one_line(answer.text)}  "
        f"(confidence {answer.confidence:.4f}, version {answer.version})"
    )


def reply_line(outputs: Mapping[str, Any], version: int) -> str:
    """Returns the outputs of a row, cut if they are large, and the version."""
    text = ", ".join(f"{name} = {json.dumps(value)}" for name, value in outputs.items())
    if len(text) > MAX_REPLY:
        text = f"{text[:MAX_REPLY]}…"
    return one_line(f"{text}  (version {version})")


def latency(history: History) -> str:
    """Returns the latest latency, and the statistics of the recent ones."""
    recent = history.latencies
    least, middle, most = min(recent), median(recent), max(recent)
    return (
        f"{milliseconds(recent[-1])}  (min {milliseconds(least)}, median {milliseconds(middle)}, "
        f"max {milliseconds(most)} of the last {len(recent)})"
    )


def milliseconds(seconds: float) -> str:
    """Formats a duration with three digits: `0.84 ms`, `12.3 ms`, `1,250 ms`."""
    value = seconds * 1000
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f} ms"
