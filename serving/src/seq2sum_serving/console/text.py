"""Text for a terminal, and the layouts that contain it.

Some of the text comes from elsewhere: error messages of servers, reasons that operators gave, host
names. It is shown literally: brackets are not markup, and control characters are escaped.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Column, Table
from rich.text import Text

from seq2sum_serving.deployment.plain_text import escape


def literal(text: object, style: str = "") -> Text:
    """Returns any text literally; rich would read brackets in a plain string as markup."""
    return Text(escape(str(text)), style=style)


def headed_table(*columns: Column) -> Table:
    """Returns an empty table with a line below its headings and no border."""
    return Table(
        *columns,
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="bold",
    )


def grid(*columns: Column, gap: int = 2, expand: bool = False) -> Table:
    """Returns an empty table without headings and lines, with a gap after each column."""
    return Table.grid(*columns, padding=(0, gap, 0, 0), expand=expand)


def marked_list(
    sentences: Sequence[str], marks: Sequence[str], *, style: str = ""
) -> RenderableType:
    """Returns a list with a mark before each sentence; long sentences are indented."""
    table = grid(Column(justify="right", no_wrap=True), Column(overflow="fold"), gap=1)
    for mark, sentence in zip(marks, sentences, strict=True):
        table.add_row(literal(mark, style), literal(sentence))
    return table


def numbered_list(sentences: Sequence[str]) -> RenderableType:
    """Returns the steps of a plan as a numbered list."""
    if not sentences:
        return literal("nothing to do")
    return marked_list(sentences, [f"{number}." for number in range(1, len(sentences) + 1)])


def sections(parts: Sequence[tuple[str, RenderableType]]) -> RenderableType:
    """Returns named parts below each other, with their names at the left."""
    table = grid(Column(no_wrap=True, style="bold"), Column(overflow="fold"))
    for name, part in parts:
        table.add_row(name, part)
    return table
