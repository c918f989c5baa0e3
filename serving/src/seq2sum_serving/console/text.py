"""Words on a terminal, and the shapes that they come in.

Others wrote parts of them: errors of servers, reasons of operators, names of hosts. They are shown
as they are, never read as markup, and move no cursor.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from seq2sum_serving.deployment.plain_text import escape


def said(text: object, style: str = "") -> Text:
    """Any text as it is; rich would read brackets in a plain string as markup."""
    return Text(escape(str(text)), style=style)


def headed() -> Table:
    """An empty table with a line below its headings, and nothing round it."""
    return Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )


def listed(sentences: Sequence[str], marks: Sequence[str], *, style: str = "") -> RenderableType:
    """Sentences below each other, each with its mark; long ones are indented behind it."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for mark, sentence in zip(marks, sentences, strict=True):
        table.add_row(said(mark, style), said(sentence))
    return table


def sections(parts: Sequence[tuple[str, RenderableType]]) -> RenderableType:
    """Parts with their names at the left."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, part in parts:
        table.add_row(name, part)
    return table
