"""Progress bars on a terminal, or lines at intervals where stderr is not a terminal."""

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
"""Minimum time between two lines where stderr is not a terminal."""

Show = Callable[[str, int, int, str, str], None]
"""Shows progress, given a title, the completed count, the total, their unit and a remark."""


@contextmanager
def progress_bars() -> Iterator[Show]:
    """Yields a function that shows progress on stderr, with one bar per title."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}"),
        TimeElapsedColumn(),
        TextColumn("remaining"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}"),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def show(title: str, done: int, total: int, unit: str, remark: str) -> None:
            if title not in tasks:
                tasks[title] = bars.add_task(title, total=total, unit=unit, remark=remark)
            bars.update(tasks[title], completed=done, total=total, remark=remark)

        yield show


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
