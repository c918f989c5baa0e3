"""One screen with everything, drawn again and again.

On a terminal it is drawn in place; anywhere else each look is a block of plain lines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.table import Table

from seq2sum_serving.console import gates
from seq2sum_serving.console import weights as traffic
from seq2sum_serving.console.history import PRESSING, style, summary
from seq2sum_serving.console.numbers import weight
from seq2sum_serving.console.output import UNBOUNDED
from seq2sum_serving.console.status import differences
from seq2sum_serving.console.text import said, sections
from seq2sum_serving.console.timestamps import clock, local
from seq2sum_serving.console.underway import Bake, Underway, underway
from seq2sum_serving.console.versions import Versions
from seq2sum_serving.deployment.errors import RolloutError
from seq2sum_serving.deployment.event_log import Event
from seq2sum_serving.deployment.state import Current

MOST_ROWS = 8
"""Versions at most that are shown without being wanted or loaded: a screen has an end."""
LAST_EVENTS = 5


def screen(
    current: Current,
    *,
    model: str,
    weights: Mapping[str, float],
    events: Sequence[Event],
    when: str,
    probe: str,
) -> RenderableType:
    """One look.

    Args:
        current: How things are.
        model: Whose they are.
        weights: How callers share their calls.
        events: The model's history, oldest first.
        when: When it was looked at: UTC, ISO 8601.
        probe: What came of a probe in a few words; empty if none was sent.
    """
    run = underway(events, now=when)
    return Group(
        _Title(model, when),
        "",
        Versions(current, most=MOST_ROWS),
        "",
        sections(
            [
                ("drift", differences(current)),
                ("traffic", traffic.bars(weights, current.recorded.labels)),
                *([("probe", said(probe))] if probe else []),
                ("run", said("none is under way", "dim") if run is None else _run(run, when)),
                ("events", _events(events[-LAST_EVENTS:], when)),
            ]
        ),
    )


def watching(
    look: Callable[[], RenderableType],
    *,
    every: float,
    count: int | None,
    console: Console,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Looks and shows until Ctrl-C, or as often as was asked for.

    Args:
        look: Gives one screen. A RolloutError is shown in its place, and the next look follows.
        every: Seconds between the end of a look and the next one.
        count: How many looks; None for no end.
        console: Where they are shown.
        sleep: Waits.

    Returns:
        How many looks failed.
    """
    failed = looks = 0
    last: RenderableType | None = None
    live = Live(console=console, auto_refresh=False) if console.is_interactive else None
    with suppress(KeyboardInterrupt), nullcontext() if live is None else live:
        while count is None or looks < count:
            if looks:
                if live is None:
                    console.print()
                sleep(every)
            try:
                shown = last = look()
            except RolloutError as error:
                failed += 1
                shown = said(f"! {error}", "bold red")
                if live is not None and last is not None:
                    shown = Group(shown, last)  # its title tells how old it is
            looks += 1
            if live is not None:
                live.update(shown, refresh=True)
            else:
                console.print(shown)
    return failed


@dataclass(frozen=True, slots=True)
class _Title:
    """The model at the left, and the time of the look at the right, where there is an edge."""

    model: str
    when: str

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        title = Table.grid(padding=(0, 2, 0, 0), expand=options.max_width < UNBOUNDED)
        title.add_column(ratio=1)
        title.add_column(justify="right", no_wrap=True)
        title.add_row(said(self.model, "bold"), said(local(self.when), "dim"))
        yield title


def _run(run: Underway, when: str) -> RenderableType:
    began = run.began
    moment, who = clock(began.time, now=when), began.user or "somebody"
    begun = said(f"version {began.version}, began {moment} by {who}")
    found = gates.filled(Table.grid(padding=(0, 2, 0, 0)), run.gates)
    return Group(
        begun,
        *([found] if run.gates else []),
        *([] if run.bake is None else [_bake(run.bake)]),
    )


def _bake(bake: Bake) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(max_width=traffic.WIDEST)
    table.add_row(
        said(f"bake at weight {weight(bake.weight)}"),
        said(f"{bake.passed:.0f} of {bake.seconds:.0f} s"),
        traffic.bar(bake.passed / bake.seconds, "cyan"),
    )
    return table


def _events(events: Sequence[Event], when: str) -> RenderableType:
    if not events:
        return said("nothing was done yet", "dim")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for event in events:
        told = said(summary(event))
        if style(event) not in PRESSING:  # a line each, so that the screen does not jump
            told.no_wrap, told.overflow = True, "ellipsis"
        table.add_row(
            said(clock(event.time, now=when), "dim"),
            said(event.kind, style(event)),
            said("" if event.version is None else event.version),
            told,
        )
    return table
