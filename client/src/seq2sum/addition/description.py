"""The capabilities of a model version, read from its signatures."""

from __future__ import annotations

from dataclasses import dataclass

from seq2sum._versions import ModelMetadata
from seq2sum.addition import contract


@dataclass(frozen=True, slots=True)
class Description(ModelMetadata):
    """The signatures of one model version, and the properties that follow from them."""

    @property
    def digits(self) -> int | None:
        """The maximum number of digits of an operand; None if it is not a seq2sum model."""
        length = self._size(contract.DETAILED, contract.PROBABILITIES, 1)
        return None if length is None else length - 1

    @property
    def steps(self) -> int | None:
        """The encoder's steps for a question; None if it is not a seq2sum model."""
        return self._size(contract.PREPROCESSED, contract.ONE_HOT, 1)

    @property
    def vocabulary(self) -> int | None:
        """The number of distinct tokens the encoder reads; None if it is not a seq2sum model."""
        return self._size(contract.PREPROCESSED, contract.ONE_HOT, 2)

    @property
    def missing(self) -> tuple[str, ...]:
        """The signatures and tensors of the contract that this version lacks; empty if it fits."""
        missing = []
        for signature in contract.SIGNATURES:
            found = self.signatures.get(signature.name)
            if found is None:
                missing.append(f"signature {signature.name}")
                continue
            expected = [
                (contract.QUESTIONS, found.inputs),
                *((tensor, found.outputs) for tensor in signature.outputs),
            ]
            for tensor, declared in expected:
                spec = declared.get(tensor.name)
                if spec is None or spec.dtype != tensor.dtype:
                    missing.append(f"{tensor.dtype} {tensor.name} of signature {signature.name}")
        return tuple(missing)

    def _size(
        self, signature: contract.Signature, tensor: contract.Tensor, axis: int
    ) -> int | None:
        found = self.signatures.get(signature.name)
        spec = found.outputs.get(tensor.name) if found else None
        if spec is None or spec.shape is None or len(spec.shape) <= axis:
            return None
        return spec.shape[axis] if spec.shape[axis] >= 0 else None
