"""Values out of TensorProtos, with nothing but the standard library.

A server may send numbers as raw little-endian bytes in `tensor_content` or in the repeated
field of their type, and in the latter form a short list stands for its last value repeated.
Both are read. Strings are read from `string_val`, the form that servers use by default.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Sequence
from typing import TypeVar

from seq2sum._errors import UnexpectedResponse
from seq2sum.protocol import tensor_pb2

Value = TypeVar("Value")
Number = TypeVar("Number", int, float)

Shape = tuple[int | None, ...]
"""Sizes that a tensor must have; None for any."""

MOST_VALUES = 1 << 24
"""Of one tensor in a reply: a short list may claim any shape, and costs memory by its claim."""


def fill_with_strings(tensor: tensor_pb2.TensorProto, values: Sequence[bytes]) -> None:
    """Makes an empty tensor a DT_STRING vector of these values, in place: no copy of them."""
    tensor.dtype = tensor_pb2.DT_STRING
    tensor.tensor_shape.dim.add(size=len(values))
    tensor.string_val.extend(values)


def strings(tensor: tensor_pb2.TensorProto, *, name: str, shape: Shape) -> list[bytes]:
    """The values of a DT_STRING tensor, row by row."""
    count = _count(tensor, name, tensor_pb2.DT_STRING, shape)
    return _filled(tensor.string_val, name, count)


def floats(tensor: tensor_pb2.TensorProto, *, name: str, shape: Shape) -> Sequence[float]:
    """The values of a DT_FLOAT tensor, row by row."""
    count = _count(tensor, name, tensor_pb2.DT_FLOAT, shape)
    if tensor.tensor_content:
        return _raw(array("f"), tensor.tensor_content, name, count)
    return _filled(tensor.float_val, name, count)


def integers(tensor: tensor_pb2.TensorProto, *, name: str, shape: Shape) -> Sequence[int]:
    """The values of a DT_INT32 tensor, row by row."""
    count = _count(tensor, name, tensor_pb2.DT_INT32, shape)
    if tensor.tensor_content:
        return _raw(array("i"), tensor.tensor_content, name, count)
    return _filled(tensor.int_val, name, count)


def _count(
    tensor: tensor_pb2.TensorProto, name: str, dtype: tensor_pb2.DataType, shape: Shape
) -> int:
    """How many values the tensor stands for, if it is of this dtype and shape."""
    found = [dim.size for dim in tensor.tensor_shape.dim]
    fits = len(found) == len(shape) and all(
        size == wanted or (wanted is None and size >= 0)
        for size, wanted in zip(found, shape, strict=True)
    )
    if tensor.dtype != dtype or not fits:
        raise UnexpectedResponse(
            f"output {name!r} should be {tensor_pb2.DataType.Name(dtype)} of shape "
            f"[{', '.join('any' if size is None else str(size) for size in shape)}], "
            f"and is DataType {tensor.dtype} of shape {found}"
        )
    count = math.prod(found)
    if count > MOST_VALUES:
        raise UnexpectedResponse(f"output {name!r} claims {count} values")
    return count


def _raw(values: array[Number], content: bytes, name: str, count: int) -> array[Number]:
    if len(content) != count * values.itemsize:
        raise UnexpectedResponse(
            f"output {name!r} has {len(content)} bytes of content for {count} values"
        )
    values.frombytes(content)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _filled(values: Sequence[Value], name: str, count: int) -> list[Value]:
    known = list(values)
    if len(known) == count:
        return known
    if not known:
        raise UnexpectedResponse(f"output {name!r} has no values where {count} are claimed")
    return (known + known[-1:] * (count - len(known)))[:count]
