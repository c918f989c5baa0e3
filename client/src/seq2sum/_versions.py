"""Values that servers report about model versions: their states and their signatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from seq2sum._dtypes import shape_text
from seq2sum._html import MAX_ROWS, table


class State(IntEnum):
    """The state of a version on one server, with TensorFlow Serving's names and numbers."""

    UNKNOWN = 0
    """Not reported."""
    START = 10
    """Known, not yet loading."""
    LOADING = 20
    """Being loaded and warmed up."""
    AVAILABLE = 30
    """Accepts calls."""
    UNLOADING = 40
    """Finishes the calls in flight and accepts no new ones."""
    END = 50
    """Unloaded, or failed to load (then `VersionStatus.error` is set)."""


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """The status of one version of the model on one server."""

    version: int
    """The version's number."""
    state: State
    """Its state."""
    error: str = ""
    """Why it could not be loaded; empty if nothing went wrong."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor of a signature, as a model version declares it."""

    dtype: str
    """TensorFlow's DataType name, like `DT_STRING`."""
    shape: tuple[int, ...] | None
    """Sizes, -1 for any; None if the rank is unknown."""

    def __str__(self) -> str:
        """The dtype and the shape, like `float [any, 3]`."""
        shape = "of any shape" if self.shape is None else shape_text(self.shape)
        return f"{self.dtype.removeprefix('DT_').lower()} {shape}"


@dataclass(frozen=True, slots=True)
class SignatureSpec:
    """The inputs and outputs of one signature of a model version."""

    inputs: Mapping[str, TensorSpec]
    """By alias."""
    outputs: Mapping[str, TensorSpec]
    """By alias."""
    optional: frozenset[str] = frozenset()
    """The inputs that have a default value and may be left out."""


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """The signatures of one model version."""

    version: int
    """The version's number."""
    signatures: Mapping[str, SignatureSpec]
    """By name."""

    def __str__(self) -> str:
        """A table of the signatures, their inputs and outputs, for readers."""
        lines = [f"version {self.version}"]
        if not self.signatures:
            lines.append("  no signatures")
        for name, signature in self.signatures.items():
            lines.append(f"  signature {_one_line(name)}")
            rows = [
                *_rows("input", signature.inputs, signature.optional),
                *_rows("output", signature.outputs, frozenset()),
            ]
            widths = [max(map(len, column), default=0) for column in zip(*rows, strict=True)]
            for row in rows:
                cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
                lines.append(f"    {'  '.join(cells).rstrip()}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The table for notebooks."""
        rows = [
            (name, *row)
            for name, signature in self.signatures.items()
            for row in (
                *_rows("input", signature.inputs, signature.optional),
                *_rows("output", signature.outputs, frozenset()),
            )
        ]
        head = ("signature", "", "name", "dtype and shape", "")
        return table(f"version {self.version}", head, rows[:MAX_ROWS], count=len(rows))


def _rows(
    side: str, tensors: Mapping[str, TensorSpec], optional: frozenset[str]
) -> list[tuple[str, str, str, str]]:
    return [
        (side, _one_line(alias), str(spec), "optional" if alias in optional else "")
        for alias, spec in tensors.items()
    ]


def _one_line(name: str) -> str:
    return name if name.isprintable() and name else repr(name)
