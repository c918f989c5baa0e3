"""The history as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Column, Table
from rich.text import Text

from seq2sum_serving.console.event_details import summarize_details
from seq2sum_serving.console.text import headed_table, literal
from seq2sum_serving.console.timestamps import local, localize
from seq2sum_serving.deployment.event_log import Event, EventKind, Verdict

WIDE = 120
"""Minimum number of characters for separate columns of reasons and details."""
RED, YELLOW, GREEN = "bold red", "yellow", "green"
COLORS: dict[str, str] = {
    EventKind.FAILED: RED,
    EventKind.ROLLED_BACK: RED,
    Verdict.FAILED: RED,
    Verdict.INCONCLUSIVE: YELLOW,
    Verdict.SUCCESSFUL: GREEN,
    EventKind.PROMOTED: GREEN,
}
"""By kind of event, verdict of a gate, and outcome of a run."""
MAX_USER_WIDTH = 20
"""Characters of `user@host`; JSON has all of them."""


def table(events: Sequence[Event]) -> RenderableType:
    """Returns a table with a row for each event, oldest first, in local time."""
    return HistoryTable(events) if events else literal("the history is empty")


@dataclass(frozen=True, slots=True)
class HistoryTable:
    """The table. In a narrow one, days are headings, and reasons and details share a column."""

    events: Sequence[Event]

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """Chooses the layout for the available width."""
        yield _wide(self.events) if options.max_width >= WIDE else _narrow(self.events)


def summarize(event: Event) -> str:
    """Returns the reason and the details of an event; those of a measurement come first."""
    parts = [localize(event.reason), summarize_details(event)]
    if event.kind == EventKind.MEASUREMENT:
        parts.reverse()
    return "; ".join(filter(None, parts))


def color(event: Event) -> str:
    """Returns the color of an event's outcome; empty if it has none."""
    outcomes = (event.kind, event.details.get("verdict"), event.details.get("outcome"))
    found = {COLORS.get(str(outcome)) for outcome in outcomes}
    return next((color for color in (RED, YELLOW, GREEN) if color in found), "")


def _wide(events: Sequence[Event]) -> Table:
    table = _headed("reason", "details")
    for event in events:
        table.add_row(
            literal(local(event.time)),
            *_common_cells(event),
            literal(localize(event.reason)),
            literal(summarize_details(event)),
        )
    return table


def _narrow(events: Sequence[Event]) -> Table:
    table = _headed("reason and details")
    day = ""
    for event in events:
        today, _, clock = local(event.time).partition(" ")
        if today != day:
            table.add_row(literal(today, "bold"))
            day = today
        table.add_row(literal(clock), *_common_cells(event), literal(summarize(event)))
    return table


def _headed(*last: str) -> Table:
    return headed_table(
        Column("time", no_wrap=True),
        Column("user", no_wrap=True, overflow="ellipsis", max_width=MAX_USER_WIDTH),
        Column("kind", no_wrap=True),
        Column("version", justify="right", no_wrap=True),
        *(Column(heading, overflow="fold") for heading in last),
    )


def _common_cells(event: Event) -> tuple[Text, Text, Text]:
    version = "" if event.version is None else event.version
    return literal(event.user), literal(event.kind, color(event)), literal(version)


def as_json(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Returns the events as JSON values; times are UTC."""
    return [msgspec.structs.asdict(event) for event in events]
