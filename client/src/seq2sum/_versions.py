"""What callers get back about model versions: their states, and what one of them can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from seq2sum.addition import contract


class State(IntEnum):
    """A version's life on one server, in TensorFlow Serving's words and numbers."""

    UNKNOWN = 0
    """Not reported."""
    START = 10
    """Known, not yet loading."""
    LOADING = 20
    """Being loaded and warmed up."""
    AVAILABLE = 30
    """Answers questions."""
    UNLOADING = 40
    """Finishes the calls in flight; takes no new ones."""
    END = 50
    """Gone: unloaded, or failed to load (then there is an error)."""


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """One version of the model on one server."""

    version: int
    """The version's number."""
    state: State
    """Where it is in its life."""
    error: str = ""
    """Why it could not be loaded; empty if nothing went wrong."""


@dataclass(frozen=True, slots=True)
class TensorShape:
    """A tensor of a signature, as a model version declares it."""

    dtype: str
    """TensorFlow's DataType name, like `DT_STRING`."""
    shape: tuple[int, ...] | None
    """Sizes, -1 for any; None if even their number is open."""


@dataclass(frozen=True, slots=True)
class SignatureShape:
    """What one signature of a model version takes and gives."""

    inputs: Mapping[str, TensorShape]
    """By alias."""
    outputs: Mapping[str, TensorShape]
    """By alias."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a model version can do, from its own metadata."""

    version: int
    """The version that is described."""
    signatures: Mapping[str, SignatureShape]
    """By name."""

    @property
    def digits(self) -> int | None:
        """The most digits an operand may have; None if it is no seq2sum model."""
        length = self._size(contract.DETAILED, contract.PROBABILITIES, 1)
        return None if length is None else length - 1

    @property
    def steps(self) -> int | None:
        """The encoder's steps for a question; None if it is no seq2sum model."""
        return self._size(contract.PREPROCESSED, contract.ONE_HOT, 1)

    @property
    def vocabulary(self) -> int | None:
        """The distinct tokens that the encoder reads; None if it is no seq2sum model."""
        return self._size(contract.PREPROCESSED, contract.ONE_HOT, 2)

    @property
    def lacks(self) -> tuple[str, ...]:
        """What the serving contract asks for and this version does not have; empty if it fits."""
        missing = []
        for signature in contract.SIGNATURES:
            found = self.signatures.get(signature.name)
            if found is None:
                missing.append(f"signature {signature.name}")
                continue
            wanted = [
                (contract.QUESTIONS, found.inputs),
                *((t, found.outputs) for t in signature.outputs),
            ]
            for tensor, there in wanted:
                shape = there.get(tensor.name)
                if shape is None or shape.dtype != tensor.dtype:
                    missing.append(f"{tensor.dtype} {tensor.name} of signature {signature.name}")
        return tuple(missing)

    def _size(
        self, signature: contract.Signature, tensor: contract.Tensor, axis: int
    ) -> int | None:
        found = self.signatures.get(signature.name)
        shape = found.outputs.get(tensor.name) if found else None
        if shape is None or shape.shape is None or len(shape.shape) <= axis:
            return None
        return shape.shape[axis] if shape.shape[axis] >= 0 else None
