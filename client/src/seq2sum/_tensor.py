"""Tensors of replies: values that need no numpy, and that numpy reads without a copy."""

from __future__ import annotations

import importlib
import math
import operator
import reprlib
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from seq2sum._dtypes import DTYPES, STRING, shape_text
from seq2sum._narrow_floats import widened

VALUES_SHOWN = 8
"""Values of a tensor in its repr."""
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60


@dataclass(frozen=True, slots=True, repr=False)
class Tensor:
    """A tensor of a reply. `numpy.asarray(tensor)` shares its memory, read-only.

    numpy has no bfloat16 and no float8: it gets float32 values, which are equal, in a copy. Strings
    become an object array of bytes.
    """

    dtype: str
    """TensorFlow's DataType name, like `DT_FLOAT`."""
    shape: tuple[int, ...]
    """The sizes of its dimensions; empty for a scalar."""
    content: bytes | tuple[bytes, ...]
    """The values row by row: their little-endian bytes, or the strings of a DT_STRING tensor."""

    def __len__(self) -> int:
        """The size of the first dimension.

        Raises:
            TypeError: The tensor is a scalar.
        """
        if not self.shape:
            raise TypeError("a scalar tensor has no length: see item()")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        """Yields the rows as `tolist` returns them."""
        len(self)
        return iter(self.tolist())

    def __getitem__(self, key: int | slice) -> Any:
        """Returns a row, or the rows of a slice, as `tolist` returns them.

        Raises:
            IndexError: The tensor does not have this row.
            TypeError: The tensor is a scalar, or the key is neither an integer nor a slice.
        """
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            return self.tolist()[key] if step != 1 else self.rows(start, stop).tolist()
        if not hasattr(key, "__index__"):
            raise TypeError(f"invalid index {key!r}: expected a row or a slice; see numpy.asarray")
        row = operator.index(key)
        if not -len(self) <= row < len(self):
            raise IndexError(f"no row {row}: the tensor has {len(self)} rows")
        row %= len(self)
        return self.rows(row, row + 1).tolist()[0]

    def __bool__(self) -> bool:
        """Whether the value of a scalar is true; for other tensors, whether they have rows."""
        return len(self) > 0 if self.shape else bool(self.item())

    def __int__(self) -> int:
        """The value of a tensor that has one, as `item` returns it, as an int."""
        return int(self.item())

    def __float__(self) -> float:
        """The value of a tensor that has one, as `item` returns it, as a float."""
        return float(self.item())

    def tolist(self) -> Any:
        """Returns the values as nested lists of int, float, complex, bool or bytes.

        A scalar is returned as it is.
        """
        return _nested(self._values(), self.shape)

    @property
    def strings(self) -> Any:
        """The values of a DT_STRING tensor as `tolist` returns them, decoded to str.

        Bytes that are not UTF-8 are decoded with `errors="surrogateescape"`.

        Raises:
            TypeError: The tensor has another dtype.
        """
        if self.dtype != STRING:
            raise TypeError(f"a {self.dtype} tensor has no strings: see tolist()")
        texts = [value.decode("utf-8", "surrogateescape") for value in self._values()]
        return _nested(texts, self.shape)

    def item(self) -> Any:
        """Returns the value of a tensor that has one.

        Raises:
            ValueError: The tensor has none, or several.
        """
        if (count := math.prod(self.shape)) != 1:
            raise ValueError(f"the tensor has {count} values: see tolist()")
        return self._values()[0]

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """The tensor for numpy (version 3 of its array interface), without strings."""
        if isinstance(self.content, tuple):
            raise AttributeError("a DT_STRING tensor has no array interface")
        dtype = DTYPES[self.dtype]
        content = widened(dtype.name, self.content) if dtype.narrow else self.content
        return {"version": 3, "shape": self.shape, "typestr": dtype.typestr, "data": content}

    def __buffer__(self, flags: int) -> memoryview:
        """The tensor for `memoryview` (Python 3.12 and later).

        Raises:
            BufferError: A memoryview cannot have its values: strings, complex numbers, bfloat16,
                float8, or none at all. numpy uses the array interface then.
        """
        del flags  # the view is read-only and contiguous, and a consumer checks that
        dtype = DTYPES[self.dtype]
        unfit = dtype.kind == "c" or dtype.narrow or 0 in self.shape
        if isinstance(self.content, tuple) or unfit or sys.byteorder == "big":
            raise BufferError(f"a tensor of {self.dtype} {shape_text(self.shape)} has no buffer")
        view: Any = memoryview(self.content)
        try:
            found: memoryview = view.cast(dtype.code, self.shape)
        except ValueError as error:  # Python 3.11 has no half, and 64 dimensions are the limit
            raise BufferError(str(error)) from error
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """Returns a numpy array."""
        numpy = importlib.import_module("numpy")
        if isinstance(self.content, tuple):
            array = numpy.empty(len(self.content), dtype=object)
            array[:] = self.content
            array = array.reshape(self.shape)
        else:
            array = numpy.asarray(_ArrayInterface(self.__array_interface__))
        if copy is None:
            return numpy.asarray(array, dtype=dtype)
        return numpy.array(array, dtype=dtype, copy=copy)

    def rows(self, start: int, stop: int) -> Tensor:
        """Returns a part of the rows of dimension 0 as a tensor.

        Raises:
            TypeError: The tensor is a scalar.
        """
        start, stop, _ = slice(start, stop).indices(len(self))
        width = len(self.content) // len(self) if len(self) else 0
        shape = (max(0, stop - start), *self.shape[1:])
        return Tensor(self.dtype, shape, self.content[start * width : stop * width])

    def __repr__(self) -> str:
        """The dtype, the shape and the values, cut if there are many."""
        count, shown = math.prod(self.shape), "no values"
        if count > VALUES_SHOWN:
            first = ", ".join(map(_short.repr, self._values(VALUES_SHOWN)))
            shown = f"{first}, … ({count} values)"
        elif count:
            shown = repr(_nested(list(map(_Shown, self._values())), self.shape))
        return f"<seq2sum.Tensor {self.dtype} {shape_text(self.shape)}: {shown}>"

    def _values(self, most: int | None = None) -> list[Any]:
        """Returns the values, or the first of them, row by row."""
        if isinstance(self.content, tuple):
            return list(self.content[:most])
        dtype, content = DTYPES[self.dtype], self.content
        if most is not None:
            content = content[: most * dtype.size]
        return unpacked(dtype.name, content)


def short_text(tensor: Tensor) -> str:
    """Returns the values for a cell of a table, row by row, cut if there are many."""
    texts = [_cell(value) for value in tensor._values(VALUES_SHOWN)]
    if not tensor.shape:
        return texts[0]
    cut = ["…"] if math.prod(tensor.shape) > VALUES_SHOWN else []
    return f"[{', '.join(texts + cut)}]"


def _cell(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return f"{value:.6g}" if isinstance(value, float) else str(value)


class _ArrayInterface:
    """Only an array interface: numpy would call `Tensor.__array__` recursively."""

    def __init__(self, interface: dict[str, Any]) -> None:
        self.__array_interface__ = interface


class _Shown:
    """A value whose repr is short."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        return _short.repr(self._value)


def unpacked(name: str, content: bytes) -> list[Any]:
    """Returns the values in little-endian bytes of a dtype that is not DT_STRING."""
    dtype, code = DTYPES[name], DTYPES[name].code
    if dtype.narrow:
        content, code = widened(name, content), "f"
    values = list(struct.unpack(f"<{len(content) // struct.calcsize(f'<{code}')}{code}", content))
    return list(map(complex, values[::2], values[1::2])) if dtype.kind == "c" else values


def _nested(values: list[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return values[0]
    for axis in range(len(shape) - 1, 0, -1):
        size, rows = shape[axis], math.prod(shape[:axis])
        values = [values[row * size : (row + 1) * size] for row in range(rows)]
    return values
