"""Reading arrays of other libraries, without importing any of them.

An array is an object with numpy's attributes, with the buffer protocol, or with a method that
returns such an object (`__array__`, `__array_interface__`).
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, NamedTuple

from seq2sum._dtypes import BFLOAT16, FLOAT8_E4M3FN, FLOAT8_E5M2

NUMBERS = {
    "?": "b",
    **dict.fromkeys("bhilqn", "i"),
    **dict.fromkeys("BHILQN", "u"),
    **dict.fromkeys("efd", "f"),
    **dict.fromkeys(("Zf", "Zd"), "c"),
}
"""The kinds of numbers by the format of a buffer."""
LARGEST = {"b": 1, "i": 8, "u": 8, "f": 8, "c": 16}
"""Bytes of the largest numbers of each kind; numpy's long double is larger."""
NARROW = {
    "bfloat16": BFLOAT16, "float8_e5m2": FLOAT8_E5M2, "float8_e4m3fn": FLOAT8_E4M3FN,
}  # fmt: skip
"""The dtypes of arrays of the package ml_dtypes."""
PLAIN = str, bytes, int, float, complex, list, tuple
"""Types that are not arrays. numpy's float64 and complex128 are among them, and are read as
Python's numbers."""
OBJECTS, TEXTS, MASKED, OTHER = "O", "SU", "masked", "other"


class Array(NamedTuple):
    """The content of an array."""

    kind: str
    """`b`, `i`, `u`, `f` or `c` as in numpy; a dtype of `NARROW`; or one of the constants above."""
    size: int
    """Bytes of a value."""
    shape: tuple[int, ...]
    content: bytes
    """Little-endian, row by row; empty for arrays of texts or objects."""
    source: Any
    """The array itself."""

    def tolist(self) -> Any:
        """Returns the values as nested Python lists; a scalar is returned as it is."""
        return self.source.tolist()

    @property
    def type_name(self) -> str:
        """The name of the type of its values, for error messages."""
        names = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}
        if self.kind == MASKED:
            return "masked values; fill them first"
        if self.kind in names and self.kind != "b":
            return f"{names[self.kind]}{8 * self.size}"
        dtype = getattr(self.source, "dtype", None)
        return names.get(self.kind) or str(dtype or type(self.source).__name__)


class UnreadableArray(Exception):
    """An object has a method that returns an array, and it raised an exception."""


def read(value: Any) -> Array | None:
    """Returns the content of an array or of a numpy scalar; None for any other object.

    Raises:
        UnreadableArray: The object cannot be converted, for example because it is on a GPU.
    """
    if value is None or isinstance(value, PLAIN):
        return None
    if hasattr(type(value), "tobytes") and hasattr(getattr(value, "dtype", None), "kind"):
        return _numpy_array(value)
    try:
        buffer = _buffer(memoryview(value))
    except (TypeError, BufferError, ValueError):
        buffer = None
    if buffer is not None and buffer.kind != OTHER:
        return buffer
    try:
        if hasattr(type(value), "__array__"):
            return _numpy_array(value.__array__())
        if hasattr(value, "__array_interface__"):
            return _numpy_array(importlib.import_module("numpy").asarray(value))
    except Exception as error:  # it may raise anything
        raise UnreadableArray(f"an array that cannot be read: {error}") from error
    return buffer


def _numpy_array(value: Any) -> Array:
    dtype = value.dtype
    kind, shape = dtype.kind, tuple(value.shape)
    if hasattr(value, "mask") and value.mask.any():
        return Array(MASKED, dtype.itemsize, shape, b"", value)
    if dtype.name in NARROW:
        return Array(NARROW[dtype.name], dtype.itemsize, shape, value.tobytes(), value)
    if kind in TEXTS or kind == OBJECTS:
        return Array(kind, dtype.itemsize, shape, b"", value)
    if kind not in "biufc" or dtype.itemsize > LARGEST[kind] or dtype.str[1:] == "f1":
        return Array(OTHER, dtype.itemsize, shape, b"", value)
    size = dtype.itemsize // (2 if kind == "c" else 1)
    # numpy writes the native order as "<" or ">" too.
    content = _little_endian(value.tobytes(), size, big=dtype.str[0] == ">")
    return Array(kind, dtype.itemsize, shape, content, value)


def _buffer(view: memoryview) -> Array:
    order, code = view.format[:1], view.format.lstrip("@=<>!")
    kind, shape = NUMBERS.get(code, OTHER), tuple(view.shape or ())
    if kind == OTHER:
        return Array(OTHER, view.itemsize, shape, b"", view)
    big = order in (">", "!") or (order != "<" and sys.byteorder == "big")
    content = _little_endian(view.tobytes(), view.itemsize // (2 if kind == "c" else 1), big=big)
    return Array(kind, view.itemsize, shape, content, view)


def _little_endian(content: bytes, size: int, *, big: bool) -> bytes:
    if not big or size == 1:
        return content
    swapped = bytearray(len(content))
    for byte in range(size):
        swapped[byte::size] = content[size - 1 - byte :: size]
    return bytes(swapped)
