"""Rows of a stream, gathered for one Predict each."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from seq2sum._nested_lists import InvalidValue


def batches(source: Iterable[Any], rows: int | None) -> Iterator[Any]:
    """Yields lists of rows, one for each call; the source is read no further than that needs.

    Args:
        source: Rows; or the inputs of whole calls, which are yielded as they are, without `rows`.
        rows: Most rows in one call.
    """
    if rows is None:
        yield from source
        return
    remaining = iter(source)
    while taken := list(islice(remaining, rows)):
        yield taken


async def async_batches(
    source: Iterable[Any] | AsyncIterable[Any], rows: int | None
) -> AsyncIterator[Any]:
    """Yields as `batches` does, from asynchronous iterables too."""
    if not isinstance(source, AsyncIterable):
        for part in batches(source, rows):
            yield part
        return
    taken: list[Any] = []
    async for row in source:
        if rows is None:
            yield row
            continue
        taken.append(row)
        if len(taken) == rows:
            yield taken
            taken = []
    if taken:
        yield taken


def stacked(rows: list[Any]) -> Any:
    """Returns inputs whose first dimension is the row.

    Args:
        rows: Mappings of a value for each input; or values, for a signature with one input.

    Raises:
        InvalidValue: The rows do not have the same inputs.
    """
    if not isinstance(rows[0], Mapping):
        return rows
    names = rows[0].keys()
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping) or row.keys() != names:
            found = list(row) if isinstance(row, Mapping) else f"a {type(row).__name__}"
            raise InvalidValue(
                f"row {number} of a batch has {found}: expected {list(names)}, as the first row"
            )
    return {name: [row[name] for row in rows] for name in names}
