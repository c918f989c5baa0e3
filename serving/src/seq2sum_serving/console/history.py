"""What was done, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from seq2sum_serving.console.numbers import short
from seq2sum_serving.console.text import headed, said
from seq2sum_serving.console.timestamps import local, local_within
from seq2sum_serving.deployment.event_log import Event, EventKind, Verdict

WIDE = 120
"""Characters from which on reasons and figures have a column each."""
GOOD = (Verdict.SUCCESSFUL, EventKind.PROMOTED)
BAD = (Verdict.FAILED, EventKind.FAILED, EventKind.ROLLED_BACK)
OPEN = (Verdict.INCONCLUSIVE,)
PRESSING = ("bold red", "yellow")
"""Styles of what asks for a person: it is shown whole."""
WIDEST_WHO = 20
"""Characters of `user@host` at most; JSON has all of it."""


def history(events: Sequence[Event]) -> RenderableType:
    """A row for each event, oldest first; times are local."""
    return Rows(events) if events else said("nothing was done yet")


@dataclass(frozen=True, slots=True)
class Rows:
    """The table. Where there is little room, days get rows of their own, and columns meet."""

    events: Sequence[Event]

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """The form that reads well at this width."""
        yield _wide(self.events) if options.max_width >= WIDE else _narrow(self.events)


def summary(event: Event) -> str:
    """Why, and the figures; a gate begins with its name."""
    parts = [local_within(event.reason), short(event)]
    return "; ".join(
        filter(None, reversed(parts) if event.kind == EventKind.MEASUREMENT else parts)
    )


def style(event: Event) -> str:
    """The colour of how it went."""
    words = (event.kind, event.details.get("verdict"), event.details.get("outcome"))
    for told, colour in ((BAD, "bold red"), (OPEN, "yellow"), (GOOD, "green")):
        if any(word in told for word in words):
            return colour
    return ""


def _wide(events: Sequence[Event]) -> Table:
    table = _with_columns(["time"], ["reason", "details"])
    for event in events:
        table.add_row(
            said(local(event.time)),
            *_middle(event),
            said(local_within(event.reason)),
            said(short(event)),
        )
    return table


def _narrow(events: Sequence[Event]) -> Table:
    table = _with_columns(["time"], ["reason and details"])
    day = ""
    for event in events:
        today, _, clock = local(event.time).partition(" ")
        if today != day:
            table.add_row(said(today, "bold"))
            day = today
        table.add_row(said(clock), *_middle(event), said(summary(event)))
    return table


def _with_columns(first: Sequence[str], last: Sequence[str]) -> Table:
    table = headed()
    for heading in first:
        table.add_column(heading, no_wrap=True)
    table.add_column("user", no_wrap=True, overflow="ellipsis", max_width=WIDEST_WHO)
    table.add_column("kind", no_wrap=True)
    table.add_column("version", justify="right", no_wrap=True)
    for heading in last:
        table.add_column(heading, overflow="fold")
    return table


def _middle(event: Event) -> tuple[Text, Text, Text]:
    version = "" if event.version is None else event.version
    return said(event.user), said(event.kind, style(event)), said(version)


def as_json(events: Sequence[Event]) -> list[dict[str, Any]]:
    """All of it for a program; times are UTC."""
    return [
        {
            "time": event.time,
            "user": event.user,
            "kind": event.kind,
            "model": event.model,
            "version": event.version,
            "reason": event.reason,
            "run": event.run,
            "details": dict(event.details),
        }
        for event in events
    ]
