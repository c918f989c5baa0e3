"""Tensors of shapes that numpy cannot represent, and array functions that also take them.

TensorFlow allows 254 dimensions, and if the size of one is 0, any sizes of the others. numpy allows
64 dimensions, and the product of the sizes other than 0 must not overflow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class FlatTensor:
    """A tensor that numpy cannot represent, with the array attributes that the server uses."""

    values: NDArray[Any]
    """All elements, in one dimension."""
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the elements."""
        return self.values.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.values.size

    def ravel(self) -> NDArray[Any]:
        """Returns all elements, in one dimension."""
        return self.values

    def __len__(self) -> int:
        """The size of the first dimension."""
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Any:
        """A range of rows."""
        start, stop, _ = rows.indices(len(self))
        width = math.prod(self.shape[1:])
        values = self.values[start * width : stop * width]
        return reshape(values, (max(stop - start, 0), *self.shape[1:]))


def reshape(values: NDArray[Any], shape: tuple[int, ...]) -> Any:
    """Returns the values as an array of this shape, or as a FlatTensor if numpy cannot."""
    try:
        return values.reshape(shape)
    except ValueError:
        if values.size != math.prod(shape):
            raise
        return FlatTensor(values, shape)


def concatenate(arrays: Sequence[Any]) -> Any:
    """Returns the arrays joined along the first dimension."""
    if not any(isinstance(array, FlatTensor) for array in arrays):
        return np.concatenate(arrays)
    rows = sum(map(len, arrays))
    values = np.concatenate([array.ravel() for array in arrays])
    return reshape(values, (rows, *arrays[0].shape[1:]))


def repeat_row(row: Any, times: int) -> Any:
    """Returns an array of one row with that row repeated."""
    shape = (times, *row.shape[1:])
    if isinstance(row, FlatTensor):
        return reshape(np.tile(row.values, times), shape)
    return np.broadcast_to(row, shape)
