"""Batches of any number of rows, made from the rows of golden requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2sum import SignatureSpec
from seq2sum.golden import GoldenRequest

AS_RECORDED = 0
"""Number of rows that stands for requests as they are, which cannot be merged."""

Shape = tuple[int, ...]
Row = Mapping[str, Any]
Signatures = Mapping[str, SignatureSpec]


@dataclass(frozen=True, slots=True)
class Batch:
    """The inputs of one call."""

    signature: str
    inputs: Mapping[str, Any]


class Batches:
    """Makes batches from golden requests.

    Requests can be merged if they have the same signature, and inputs that differ in dimension 0
    alone; the largest set of such requests is used. If none has a dimension 0 in all inputs, or
    the signatures fix its size, each request is a batch.

    Args:
        requests: The golden requests.
        signatures: The signatures of each version that gets the batches, by name.
    """

    def __init__(
        self, requests: Sequence[GoldenRequest], signatures: Sequence[Signatures] = ()
    ) -> None:
        groups: dict[Any, list[Row]] = {}
        for request in requests:
            if any(_has_fixed_size(request, each) for each in signatures):
                continue
            if rows := _rows(request):
                shapes = frozenset((name, _shape(value)) for name, value in rows[0].items())
                groups.setdefault((request.signature_name, shapes), []).extend(rows)
        self._requests = requests
        self._signature, self._rows = "", list[Row]()
        if groups:
            (self._signature, _), self._rows = max(groups.items(), key=lambda group: len(group[1]))

    def sizes(self, rows: Sequence[int]) -> Sequence[int]:
        """Returns the numbers of rows that batches can have, of those wanted."""
        return rows if self._rows else (AS_RECORDED,)

    def of(self, rows: int) -> Iterator[Batch]:
        """Yields batches without end; after the last row comes the first."""
        start = 0
        while True:
            if rows == AS_RECORDED:
                request = self._requests[start % len(self._requests)]
                yield Batch(request.signature_name, request.inputs)
                start += 1
                continue
            taken = [self._rows[(start + row) % len(self._rows)] for row in range(rows)]
            inputs = {name: [row[name] for row in taken] for name in taken[0]}
            yield Batch(self._signature, inputs)
            start = (start + rows) % len(self._rows)


def _rows(request: GoldenRequest) -> list[Row]:
    """Returns the rows of a request; empty if it cannot be merged."""
    shapes = [_shape(value) for value in request.inputs.values()]
    if len({shape[:1] if shape else None for shape in shapes}) != 1 or not shapes[0]:
        return []
    return [
        {name: value[row] for name, value in request.inputs.items()} for row in range(shapes[0][0])
    ]


def _has_fixed_size(request: GoldenRequest, signatures: Signatures) -> bool:
    """Returns whether dimension 0 of an input has to have a certain size."""
    found = signatures.get(request.signature_name)
    specs = [found.inputs[name] for name in request.inputs if name in found.inputs] if found else []
    return any(spec.shape and spec.shape[0] >= 0 for spec in specs)


def _shape(value: Any) -> Shape | None:
    """Returns the shape of nested lists; None if they are ragged."""
    if not isinstance(value, list | tuple):
        return ()
    inner = {_shape(each) for each in value}
    if len(inner) > 1 or None in inner:
        return None
    return (len(value), *(inner.pop() or () if inner else ()))
