"""Nested lists as a shape and a flat list of scalars."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from itertools import chain
from typing import Any

from seq2sum import _arrays
from seq2sum._arrays import Array
from seq2sum._dtypes import MAX_RANK
from seq2sum._tensor import Tensor

SCALARS = frozenset((int, float, str, bytes, bool, complex))
LISTS = frozenset((list, tuple))
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60


class InvalidValue(ValueError):
    """A value that cannot become a tensor of the wanted dtype and shape; the text describes it."""


def read_array(value: Any) -> Array | None:
    """Returns the content of an array; None for any other object.

    Raises:
        InvalidValue: The array cannot be read.
    """
    try:
        return _arrays.read(value)
    except _arrays.UnreadableArray as error:
        raise InvalidValue(str(error)) from error


def flatten(value: Any, *, strings: bool = False) -> tuple[tuple[int, ...], list[Any]]:
    """Returns the shape of nested lists and their scalars, row by row.

    Arrays in the lists count as lists, and numpy scalars as Python's numbers. With `strings`, a
    memoryview in the lists counts as bytes.

    Raises:
        InvalidValue: Lists of one level differ in length, or are next to scalars; or a value is
            None or another object that is not a scalar.
    """
    shape: list[int] = []
    level = [value]
    while level and not SCALARS.issuperset(kinds := set(map(type, level))):
        if not kinds <= LISTS:
            level = [_plain(each, strings=strings) for each in level]
            kinds = set(map(type, level))
            if not kinds & LISTS:
                break
            if not kinds <= LISTS:
                raise InvalidValue(f"a ragged list: lists next to values at depth {len(shape)}")
        sizes = set(map(len, level))
        if len(sizes) > 1:
            raise InvalidValue(
                f"a ragged list: rows of lengths {min(sizes)} and {max(sizes)} at depth "
                f"{len(shape)}"
            )
        shape += sizes
        if len(shape) > MAX_RANK:
            raise InvalidValue(f"a list of more than {MAX_RANK} levels")
        level = list(chain.from_iterable(level))
    return tuple(shape), level


def shown(value: object) -> str:
    """Returns a short text of a value for error messages."""
    try:
        return _short.repr(value)
    except ValueError:  # Python does not convert more than 4,300 digits
        return "an int of thousands of digits"


def _plain(value: Any, *, strings: bool) -> Any:
    """Returns arrays and sequences as lists, and scalars as they are."""
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, bytearray) or (strings and isinstance(value, memoryview)):
        return bytes(value)
    if isinstance(value, str | bytes | int | float | complex):
        return value
    if isinstance(value, Tensor):
        return value.tolist()
    array = read_array(value)
    if array is not None and array.kind == _arrays.MASKED:
        raise InvalidValue(f"an array of {array.type_name}")
    if array is not None and array.kind != _arrays.OTHER:
        return array.tolist()
    if array is None and isinstance(value, Sequence):
        return list(value)
    if array is None and (hasattr(value, "__index__") or hasattr(value, "__float__")):
        return value
    described = "None" if value is None else f"{shown(value)} of type {type(value).__name__}"
    raise InvalidValue(described)
