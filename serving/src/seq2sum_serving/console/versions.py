"""A model's versions as a table: a row for each, with its state on each replica.

The table is readable without colors. Its layout depends on the available width: replicas are
columns headed by short addresses, or else by numbers; if these are too wide, too, a single column
counts the replicas in each state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text
from seq2sum import State

from seq2sum_serving.console.output import UNBOUNDED
from seq2sum_serving.console.text import headed_table, literal, marked_list
from seq2sum_serving.deployment.state import Current, Replica

COLORS = {
    State.AVAILABLE: "green",
    State.LOADING: "yellow",
    State.START: "yellow",
    State.UNKNOWN: "yellow",
    State.UNLOADING: "dim",
    State.END: "dim",
}
FAILED = "FAILED"
"""Shown for END with an error."""
NO_ANSWER = "no answer"
"""Shown for a replica that is down."""
ASCII_DASH = "-"
"""For encodings without an em dash."""


@dataclass(frozen=True, slots=True)
class VersionsTable:
    """A table of versions that rich can render."""

    current: Current
    max_rows: int | None = None
    """Maximum number of rows, unless more versions are in use; None for no maximum."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Chooses the layout for the available width."""
        targets = [replica.target for replica in self.current.replicas]
        dash = ASCII_DASH if options.ascii_only else "—"
        numbers = [f"#{number}" for number in range(1, len(targets) + 1)]
        unbounded = options.update(width=UNBOUNDED)
        for headings in (short_addresses(targets), numbers):
            table = self._table(headings, dash)
            if Measurement.get(console, unbounded, table).maximum <= options.max_width:
                break
        else:
            headings, table = [], self._table(None, dash)
        legend = [marked_list(targets, numbers)] if headings == numbers and targets else []
        yield Group(table, *self._omitted(), *legend)

    def _table(self, headings: Sequence[str] | None, dash: str) -> Table:
        current = self.current
        counted = headings is None
        table = headed_table(
            Column("version", justify="right", no_wrap=True),
            Column("labels", overflow="fold"),
            Column("on disk", no_wrap=True),
            Column("aspired", no_wrap=True),
            *(
                Column(literal(heading), no_wrap=not counted)
                for heading in (["replicas"] if headings is None else headings)
            ),
        )
        for version in rows(current, max_rows=self.max_rows):
            states = [state(replica, version) for replica in current.replicas]
            cells = (
                [_count(states)] if counted else [state or literal(dash, "dim") for state in states]
            )
            table.add_row(
                literal(version, "bold" if version == current.stable else ""),
                _labels(current, version),
                _on_disk(current, version) or literal(dash, "dim"),
                literal("yes") if version in current.aspired else literal(dash, "dim"),
                *cells,
            )
        return table

    def _omitted(self) -> list[RenderableType]:
        omitted = len(rows(self.current)) - len(rows(self.current, max_rows=self.max_rows))
        return [literal(f"and {omitted} more, not in use", "dim")] if omitted else []


def rows(current: Current, *, max_rows: int | None = None) -> list[int]:
    """Returns the versions to show, newest first.

    Args:
        current: The observed state.
        max_rows: Beyond this number only versions in use are shown; None for no limit.
    """
    found = current.known_versions
    if max_rows is None or len(found) <= max_rows:
        return found
    used = set(filter(current.in_use, found))
    others = [version for version in found if version not in used]
    shown = used.union(others[: max(0, max_rows - len(used))])
    return [version for version in found if version in shown]


def state(replica: Replica, version: int) -> Text | None:
    """Returns the state of a version on a replica; None if the replica does not know it."""
    if not replica.up:
        return literal(NO_ANSWER, "red")
    entry = replica.versions.get(version)
    if entry is None:
        return None
    if replica.failure(version):
        return literal(FAILED, "bold red")
    return literal(entry.state.name, COLORS[entry.state])


def short_addresses(targets: Sequence[str]) -> list[str]:
    """Shortens addresses where they remain distinct.

    Returns only ports if all hosts are equal, and only hosts, without their common domain, if all
    ports are equal.
    """
    parts = [_split(target) for target in targets]
    hosts, ports = [host for host, _ in parts], [port for _, port in parts]
    if len(targets) < 2 or len(set(targets)) < len(targets) or not all(ports):
        return list(targets)
    if len(set(hosts)) == 1:
        return [f":{port}" for port in ports]
    if len(set(ports)) == 1:
        return _without_common_domain(hosts)
    return list(targets)


def _split(target: str) -> tuple[str, str]:
    host, colon, port = target.rpartition(":")
    return (host, port) if colon and port.isdigit() else (target, "")


def _without_common_domain(hosts: Sequence[str]) -> list[str]:
    if any(host.replace(".", "").isdigit() or ":" in host for host in hosts):
        return list(hosts)  # IP addresses differ at their end
    split = [host.split(".") for host in hosts]
    shared = 0
    while shared < min(map(len, split)) - 1 and len({part[-1 - shared] for part in split}) == 1:
        shared += 1
    return [".".join(part[: len(part) - shared]) for part in split]


def _labels(current: Current, version: int) -> Text:
    labels = [literal(label) for label in current.labels_of(version)]
    if version in current.burned:
        labels.append(literal("burned", "red"))
    return Text(", ").join(labels)


def _on_disk(current: Current, version: int) -> Text | None:
    if version in current.on_disk:
        return literal("yes")
    return literal("missing", "bold red") if version in current.aspired else None


def _count(states: Sequence[Text | None]) -> Text:
    """Returns `3 AVAILABLE, 1 LOADING`, the most frequent state first."""
    known = [state for state in states if state is not None]
    colors = {state.plain: state.style for state in known}
    return Text(", ").join(
        Text(f"{count} {name}", style=colors[name])
        for name, count in Counter(state.plain for state in known).most_common()
    )
