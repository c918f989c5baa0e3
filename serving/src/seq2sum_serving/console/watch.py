"""The live view: one screen, updated at an interval.

On a terminal it is updated in place; anywhere else each update is a block of plain lines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.table import Column

from seq2sum_serving.console import unlabelled
from seq2sum_serving.console import weights as traffic
from seq2sum_serving.console.event_details import measurement_text, trim
from seq2sum_serving.console.history import GREEN, RED, YELLOW, color, summarize
from seq2sum_serving.console.output import UNBOUNDED
from seq2sum_serving.console.status import candidate_group, drift_list, labels
from seq2sum_serving.console.text import grid, literal, sections
from seq2sum_serving.console.timestamps import clock, local
from seq2sum_serving.console.versions import VersionsTable
from seq2sum_serving.deployment.errors import RolloutError
from seq2sum_serving.deployment.event_log import Event, EventKind, Verdict
from seq2sum_serving.deployment.run_state import OpenRun, StepProgress, open_run
from seq2sum_serving.deployment.state import Current

MAX_ROWS = 8
"""Maximum number of versions, unless more are in use: the screen has limited height."""
LAST_EVENTS = 5
VERDICT_COLORS: dict[str, str] = {
    Verdict.SUCCESSFUL: GREEN,
    Verdict.FAILED: RED,
    Verdict.INCONCLUSIVE: YELLOW,
    Verdict.ERROR: YELLOW,
    Verdict.SKIPPED: "dim",
}


def screen(
    current: Current,
    *,
    model: str,
    weights: Mapping[str, float],
    events: Sequence[Event],
    now: str,
    probe: str,
    candidate: Current | None = None,
) -> RenderableType:
    """Returns one screen.

    Args:
        current: The observed state.
        model: The model's name.
        weights: Traffic weights by label.
        events: The model's history, oldest first.
        now: The time of the observation: UTC, ISO 8601.
        probe: The result of a probe in a few words; empty if none was sent.
        candidate: The candidate group; None without one.
    """
    run = open_run(events)
    return Group(
        _Title(model, now),
        "",
        VersionsTable(current, max_rows=MAX_ROWS),
        "",
        sections(
            [
                ("drift", drift_list(current)),
                (
                    "traffic",
                    Group(
                        traffic.bars(weights, labels(current, candidate)),
                        *unlabelled.lines(current),
                    ),
                ),
                *([("probe", literal(probe))] if probe else []),
                ("run", literal("none in progress", "dim") if run is None else _run(run, now)),
                ("events", _events(events[-LAST_EVENTS:], now)),
            ]
        ),
        *candidate_group(current, candidate),
    )


def watch(
    render: Callable[[], RenderableType],
    *,
    interval: float,
    count: int | None,
    console: Console,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Shows screens until Ctrl-C, or a limited number of them.

    Args:
        render: Returns a screen. A RolloutError is shown instead of it.
        interval: Seconds between the end of an update and the next one.
        count: Number of updates; None for no limit.
        console: Receives the screens.
        sleep: Waits for some seconds.

    Returns:
        The number of updates that failed.
    """
    failed = updates = 0
    last: RenderableType | None = None
    live = Live(console=console, auto_refresh=False) if console.is_interactive else None
    with suppress(KeyboardInterrupt), nullcontext() if live is None else live:
        while count is None or updates < count:
            if updates:
                if live is None:
                    console.print()
                sleep(interval)
            try:
                shown = last = render()
            except RolloutError as error:
                failed += 1
                shown = literal(f"! {error}", "bold red")
                if live is not None and last is not None:
                    shown = Group(shown, last)  # the last screen's title has its time
            updates += 1
            if live is not None:
                live.update(shown, refresh=True)
            else:
                console.print(shown)
    return failed


@dataclass(frozen=True, slots=True)
class _Title:
    """The model at the left, and the time at the right edge of a terminal."""

    model: str
    now: str

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        title = grid(
            Column(ratio=1),
            Column(justify="right", no_wrap=True),
            expand=options.max_width < UNBOUNDED,
        )
        title.add_row(literal(self.model, "bold"), literal(local(self.now), "dim"))
        yield title


def _run(run: OpenRun, now: str) -> RenderableType:
    """Returns the start of a run, the latest measurements and the progress of the step."""
    start = next(event for event in run.events if event.kind == EventKind.RUN_STARTED)
    time, user = clock(start.time, now=now), start.user or "an unknown user"
    gates = grid(*(Column(no_wrap=True), Column(no_wrap=True), Column(overflow="fold")))
    for gate, measurement in run.measurements.items():
        verdict = str(measurement.get("verdict"))
        gates.add_row(
            literal(gate),
            literal(verdict, VERDICT_COLORS.get(verdict, "")),
            literal(measurement_text(measurement)),
        )
    step = run.step_progress(now)
    return Group(
        literal(f"version {run.version}, started {time} by {user}"),
        *([gates] if gates.rows else []),
        *([_progress(step)] if step is not None else []),
    )


def _progress(step: StepProgress) -> RenderableType:
    table = grid(
        Column(no_wrap=True), Column(no_wrap=True), Column(max_width=traffic.MAX_BAR_WIDTH)
    )
    table.add_row(
        literal(f"step at weight {trim(step.weight)}"),
        literal(f"{step.elapsed:.0f} of {step.seconds:.0f} s"),
        traffic.bar(step.elapsed / step.seconds, "cyan"),
    )
    return table


def _events(events: Sequence[Event], now: str) -> RenderableType:
    if not events:
        return literal("the history is empty", "dim")
    table = grid(
        Column(no_wrap=True),
        Column(no_wrap=True),
        Column(justify="right", no_wrap=True),
        Column(overflow="fold"),
    )
    for event in events:
        summary = literal(summarize(event))
        if color(event) not in (RED, YELLOW):  # one line each, so that the screen does not jump
            summary.no_wrap, summary.overflow = True, "ellipsis"
        table.add_row(
            literal(clock(event.time, now=now), "dim"),
            literal(event.kind, color(event)),
            literal("" if event.version is None else event.version),
            summary,
        )
    return table
