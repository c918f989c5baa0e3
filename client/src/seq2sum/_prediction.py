"""The result of a Predict: tensors by name, and the version that answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from seq2sum._dtypes import shape_text
from seq2sum._html import MAX_ROWS, table
from seq2sum._tensor import Tensor, short_text


@dataclass(frozen=True, slots=True, repr=False)
class Prediction(Mapping[str, Tensor]):
    """The outputs of one call, by name: `prediction["score"].tolist()`."""

    outputs: Mapping[str, Tensor]
    """The tensors, by output name."""
    version: int
    """The model version that answered."""

    @property
    def tensor(self) -> Tensor:
        """The only output.

        Raises:
            ValueError: The signature has several outputs, or none; the message lists them.
        """
        if len(self.outputs) != 1:
            raise ValueError(f"there are {len(self.outputs)} outputs: {list(self.outputs)}")
        [tensor] = self.outputs.values()
        return tensor

    def __getitem__(self, name: str) -> Tensor:
        """Returns an output.

        Raises:
            KeyError: The prediction has none of this name; the message lists its outputs.
        """
        try:
            return self.outputs[name]
        except KeyError:
            raise KeyError(f"no output {name!r}; the outputs are {list(self.outputs)}") from None

    def __contains__(self, name: object) -> bool:
        """Whether there is an output of this name."""
        return name in self.outputs

    def __iter__(self) -> Iterator[str]:
        """Yields the names of the outputs."""
        return iter(self.outputs)

    def __len__(self) -> int:
        """The number of outputs."""
        return len(self.outputs)

    def __repr__(self) -> str:
        """The version and the outputs, cut if they are large."""
        lines = [f"\n  {name}: {tensor!r}" for name, tensor in self.outputs.items()]
        return f"<seq2sum.Prediction of version {self.version}{''.join(lines)}>"

    def _repr_html_(self) -> str:
        """A table for notebooks: a row for each row of the outputs, or for each output."""
        caption, tensors = f"version {self.version}", list(self.outputs.values())
        sizes = {tensor.shape[0] if tensor.shape else None for tensor in tensors}
        count = sizes.pop() if len(sizes) == 1 else None
        if count is None:
            head = ("output", "dtype and shape", "values")
            lines = [
                (name, f"{tensor.dtype} {shape_text(tensor.shape)}", short_text(tensor))
                for name, tensor in self.outputs.items()
            ]
            return table(caption, head, lines[:MAX_ROWS], count=len(lines))
        scalars = [
            [Tensor(tensor.dtype, tensor.shape[1:], tensor.rows(row, row + 1).content)
             for tensor in tensors]
            for row in range(min(count, MAX_ROWS))
        ]  # fmt: skip
        rows = [[short_text(cell) for cell in row] for row in scalars]
        return table(caption, list(self.outputs), rows, count=count)
