"""Progress of long work on a terminal: a bar for each part of it, elapsed time, time to go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

SECONDS_BETWEEN_LINES = 10.0
"""Where there is no terminal, a line in the log at most this often."""

Show = Callable[[str, int, int, str, str], None]
"""Told the part's title, what is done of it, its total, their unit, and a remark."""


@contextmanager
def board() -> Iterator[Show]:
    """Progress bars on stderr, one for each title; yields a function that moves them."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}"),
        TimeElapsedColumn(),
        TextColumn("to go"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}"),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def show(title: str, done: int, total: int, unit: str, remark: str) -> None:
            if title not in tasks:
                tasks[title] = bars.add_task(title, total=total, unit=unit, remark=remark)
            # A part that ends early is over all the same.
            bars.update(tasks[title], completed=done, total=total, remark=remark)

        yield show


@contextmanager
def bar(title: str, total: int, *, unit: str) -> Iterator[Callable[[int], None]]:
    """One progress bar; yields a function of what is done so far."""
    with board() as show:
        yield lambda done: show(title, done, total, unit, "")


def _lines(console: Console) -> Show:
    clock = console.get_time
    last = clock() - SECONDS_BETWEEN_LINES

    def show(title: str, done: int, total: int, unit: str, remark: str) -> None:
        nonlocal last
        if done >= total or clock() - last >= SECONDS_BETWEEN_LINES:
            last = clock()
            line = f"{title}: {done:,}/{total:,} {unit}  {remark}"
            console.print(line.rstrip(), highlight=False, soft_wrap=True)

    return show
