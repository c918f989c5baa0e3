"""Progress of long work on a terminal: bar, elapsed time, time to go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

SECONDS_BETWEEN_LINES = 10.0
"""Where there is no terminal, a line in the log at most this often."""


@contextmanager
def bar(title: str, total: int, *, unit: str) -> Iterator[Callable[[int, str], None]]:
    """A progress bar on stderr; yields a function of what is done so far and a remark."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(console, title, total, unit)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} " + unit),
        TimeElapsedColumn(),
        TextColumn("to go"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[remark]}"),
    )
    with Progress(*columns, console=console) as shown:
        task = shown.add_task(title, total=total, remark="")
        yield lambda done, remark: shown.update(task, completed=done, remark=remark)


def _lines(console: Console, title: str, total: int, unit: str) -> Callable[[int, str], None]:
    clock = console.get_time
    last = clock() - SECONDS_BETWEEN_LINES

    def advance(done: int, remark: str) -> None:
        nonlocal last
        if done >= total or clock() - last >= SECONDS_BETWEEN_LINES:
            last = clock()
            line = f"{title}: {done:,}/{total:,} {unit}  {remark}"
            console.print(line.rstrip(), highlight=False, soft_wrap=True)

    return advance
