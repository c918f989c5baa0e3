"""What the gates found, as a table."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType
from rich.table import Table

from seq2sum_serving.console.text import headed, said
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.measurement import Measurement

STYLES: dict[str, str] = {
    Verdict.SUCCESSFUL: "green",
    Verdict.FAILED: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.ERROR: "yellow",
    Verdict.SKIPPED: "dim",
}
"""Colours of verdicts, by their words: the history has them as text."""


def results(found: list[Measurement]) -> RenderableType:
    """A row for each gate."""
    if not found:
        return said("no gate was asked")
    return filled(headed(), ((each.gate, each.verdict, each.message) for each in found), head=True)


def filled(table: Table, found: Iterable[tuple[str, str, str]], *, head: bool = False) -> Table:
    """The table with gates, verdicts and texts in it."""
    for heading in ("gate", "verdict"):
        table.add_column(heading if head else "", no_wrap=True)
    table.add_column("text" if head else "", overflow="fold")
    for gate, verdict, text in found:
        table.add_row(said(gate), said(verdict, STYLES.get(verdict, "")), said(text))
    return table
