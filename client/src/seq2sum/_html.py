"""Tables for notebooks: HTML of plain values, escaped and cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MAX_ROWS = 20
"""Rows that a table shows."""
MAX_CHARACTERS = 80
"""Characters that a cell shows."""


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, count: int) -> str:
    """Returns a table as HTML.

    Args:
        caption: The text above it.
        head: The titles of its columns.
        rows: Its first `MAX_ROWS` rows, or fewer.
        count: How many rows it would have if it were not cut.
    """
    lines = [f"<table><caption>{_escaped(caption)}</caption>", _row("th", head)]
    lines += [_row("td", row) for row in rows]
    if count > MAX_ROWS:
        lines.append(f'<tr><td colspan="{len(head)}">… ({count:,} rows)</td></tr>')
    return "\n".join([*lines, "</table>"])


def _row(tag: str, cells: Sequence[str]) -> str:
    content = "".join(f"<{tag}>{_escaped(_cut(cell))}</{tag}>" for cell in cells)
    return f"<tr>{content}</tr>"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 1]}…"


def _escaped(text: str) -> str:
    import html  # only in notebooks: it takes time to import

    # Lone surrogates cannot be encoded, and control characters are invisible.
    shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
    return html.escape(shown)
