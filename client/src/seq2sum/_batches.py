"""Groups the rows of a stream into batches, one for each Predict."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from seq2sum._nested_lists import InvalidValue


def batches(source: Iterable[Any], rows: int | None) -> Iterator[Any]:
    """Yields lists of rows, one for each call, and reads no further than the current list.

    Args:
        source: Rows; or the inputs of whole calls, which are yielded unchanged.
        rows: Maximum number of rows in one call; None if the source yields inputs of whole calls.
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
        rows: Mappings of input names to values; or plain values, for a signature with one input.

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
