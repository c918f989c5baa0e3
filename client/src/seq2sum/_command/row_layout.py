"""The shape of rows by a signature: which inputs and outputs have a row for each line."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from seq2sum._versions import SignatureSpec, TensorSpec


@dataclass(frozen=True, slots=True)
class RowLayout:
    """The relation between lines, calls and the rows of replies."""

    stacked: bool
    """Whether lines are rows, which dimension 0 of the inputs counts. Otherwise, an input has no
    dimension 0, and each line has the inputs of a whole call."""
    rows: int | None
    """Most rows of one call; None for any number."""
    whole: frozenset[str]
    """The outputs that belong to a whole call: their dimension 0 does not count its rows."""


def row_layout(spec: SignatureSpec, outputs: Collection[str]) -> RowLayout:
    """Returns the layout of the rows of a signature, with these outputs.

    Outputs without a row for each row of the inputs would depend on the other rows of their call,
    so that each row has a separate one. So it has if the shape of an output is unknown.
    """
    if any(each.shape == () for each in spec.inputs.values()):
        return RowLayout(stacked=False, rows=1, whole=frozenset(outputs))
    size = _common_size(spec.inputs.values())
    found = {name: spec.outputs[name].shape for name in outputs}
    whole = {name for name, shape in found.items() if shape is not None and shape[:1] != (size,)}
    alone = whole or None in found.values()
    return RowLayout(
        stacked=True, rows=1 if alone else None if size < 0 else size, whole=frozenset(whole)
    )


def _common_size(specs: Collection[TensorSpec]) -> int:
    """Returns dimension 0 of the inputs if it is fixed and the same for all; otherwise -1."""
    sizes = {-1 if each.shape is None else each.shape[0] for each in specs}
    return sizes.pop() if len(sizes) == 1 else -1
