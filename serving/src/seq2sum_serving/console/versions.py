"""A model's versions as a table: a row for each, with what every replica says of it.

It reads without colours, and fits the width that there is: with short addresses over the columns,
else with numbers, else with counts instead of columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text
from seq2sum import State

from seq2sum_serving.console.addresses import short
from seq2sum_serving.console.text import headed, listed, said
from seq2sum_serving.deployment.state import CANARY, LABELS, PREVIOUS, Current, Replica

STYLES = {
    State.AVAILABLE: "green",
    State.LOADING: "yellow",
    State.START: "yellow",
    State.UNKNOWN: "yellow",
    State.UNLOADING: "dim",
    State.END: "dim",
}
FAILED = "FAILED"
"""What END with an error is shown as."""
SILENT = "no answer"
"""In the column of a replica that says nothing."""
NO_DASH = "-"
"""Instead of the long one, where the encoding has none."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The table."""

    current: Current
    most: int | None = None
    """Rows at most, except for those of versions that matter; None for all."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The most telling form that fits."""
        targets = [replica.target for replica in self.current.replicas]
        dash = NO_DASH if options.ascii_only else "—"
        numbers = [f"#{number}" for number in range(1, len(targets) + 1)]
        unbounded = options.update(width=10_000)
        for headings in (short(targets), numbers):
            table = self._table(headings, dash)
            if Measurement.get(console, unbounded, table).maximum <= options.max_width:
                break
        else:
            headings, table = [], self._table(None, dash)
        key = [listed(targets, numbers)] if headings == numbers and targets else []
        yield Group(table, *self._rest(), *key)

    def _table(self, headings: Sequence[str] | None, dash: str) -> Table:
        table = headed()
        table.add_column("version", justify="right", no_wrap=True)
        table.add_column("labels", overflow="fold")
        for heading in ("on disk", "wanted"):
            table.add_column(heading, no_wrap=True)
        for heading in ["replicas"] if headings is None else headings:
            table.add_column(said(heading), no_wrap=headings is not None)
        for version in rows(self.current, most=self.most):
            replicas = self.current.replicas
            cells = [cell(replica, version) for replica in replicas]
            shown = [each or said(dash, "dim") for each in cells]
            table.add_row(
                said(version, "bold" if version == self.current.stable else ""),
                _marks(self.current, version),
                _on_disk(self.current, version) or said(dash, "dim"),
                said("yes") if version in self.current.aspired else said(dash, "dim"),
                *([_counted(cells)] if headings is None else shown),
            )
        return table

    def _rest(self) -> list[RenderableType]:
        hidden = len(rows(self.current)) - len(rows(self.current, most=self.most))
        text = f"and {hidden} more, neither wanted nor loaded"
        return [said(text, "dim")] if hidden else []


def rows(current: Current, *, most: int | None = None) -> list[int]:
    """The versions that anybody knows of, newest first.

    Args:
        current: What is known.
        most: How many, beyond which only those stay that are wanted, labelled, or loaded
            somewhere; None for all.
    """
    found = sorted(
        {
            *current.on_disk,
            *current.aspired,
            *current.recorded.labels.values(),
            *(version for replica in current.replicas for version in replica.versions),
        },
        reverse=True,
    )
    if most is None or len(found) <= most:
        return found
    room = max(0, most - sum(_matters(current, version) for version in found))
    newest = [version for version in found if not _matters(current, version)][:room]
    return [version for version in found if _matters(current, version) or version in newest]


def labels(current: Current, version: int) -> list[str]:
    """The labels on a version by the file of record, ours first.

    A `canary` or `previous` that only rests on the stable version is none.
    """
    resting = {
        label
        for label, on in ((CANARY, current.canary), (PREVIOUS, current.previous))
        if on is None
    }
    found = {label for label, on in current.recorded.labels.items() if on == version} - resting
    return [label for label in LABELS if label in found] + sorted(found - set(LABELS))


def cell(replica: Replica, version: int) -> Text | None:
    """What a replica says of a version; None if it has never heard of it."""
    if not replica.up:
        return said(SILENT, "red")
    entry = replica.versions.get(version)
    if entry is None:
        return None
    if replica.failure(version):
        return said(FAILED, "bold red")
    return said(entry.state.name, STYLES[entry.state])


def _marks(current: Current, version: int) -> Text:
    marks = [said(label) for label in labels(current, version)]
    if version in current.burned:
        marks.append(said("burned", "red"))
    return Text(", ").join(marks)


def _on_disk(current: Current, version: int) -> Text | None:
    if version in current.on_disk:
        return said("yes")
    return said("missing", "bold red") if version in current.aspired else None


def _counted(cells: Sequence[Text | None]) -> Text:
    """`3 AVAILABLE, 1 LOADING`, the most frequent first, without those who know nothing."""
    told = [each for each in cells if each is not None]
    styles = {each.plain: each.style for each in told}
    return Text(", ").join(
        Text(f"{count} {word}", style=styles[word])
        for word, count in Counter(each.plain for each in told).most_common()
    )


def _matters(current: Current, version: int) -> bool:
    return (
        version in current.aspired
        or version in current.recorded.labels.values()
        or any(
            entry.state is not State.END
            for replica in current.replicas
            if (entry := replica.versions.get(version)) is not None
        )
    )
