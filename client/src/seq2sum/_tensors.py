"""Reading and writing TensorProtos without numpy.

Servers send numbers as raw little-endian bytes in `tensor_content` or in the repeated field of
their type, where the last value of a short list stands for all further ones. Both forms are read.
Strings are read from `string_val`, the form that servers use by default.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Sequence
from typing import Any, TypeVar

from seq2sum._errors import UnexpectedResponse
from seq2sum.protocol import tensor_pb2

Value = TypeVar("Value")
Number = TypeVar("Number", int, float)

Shape = tuple[int | None, ...]
"""Expected sizes of a tensor; None for any."""

MAX_VALUES = 1 << 24
"""Limit for one tensor of a reply: even a short list can have a shape that takes much memory."""


def fill_with_strings(tensor: tensor_pb2.TensorProto, values: Sequence[bytes]) -> None:
    """Fills an empty tensor with these values, as a DT_STRING vector."""
    tensor.dtype = tensor_pb2.DT_STRING
    tensor.tensor_shape.dim.add(size=len(values))
    tensor.string_val.extend(values)


def strings(tensor: tensor_pb2.TensorProto, *, name: str, shape: Shape) -> list[bytes]:
    """Returns the values of a DT_STRING tensor, flattened row by row."""
    listed = _listed(tensor, tensor_pb2.DT_STRING, shape, tensor.string_val)
    if listed is not None:
        return listed
    count = _count(tensor, name, tensor_pb2.DT_STRING, shape)
    return _filled(tensor.string_val, name, count)


def floats(tensor: tensor_pb2.TensorProto, *, name: str, shape: Shape) -> Sequence[float]:
    """Returns the values of a DT_FLOAT tensor, flattened row by row."""
    listed = _listed(tensor, tensor_pb2.DT_FLOAT, shape, tensor.float_val)
    if listed is not None:
        return listed
    count = _count(tensor, name, tensor_pb2.DT_FLOAT, shape)
    return _numbers(array("f"), tensor.tensor_content, tensor.float_val, name, count)


def integers(tensor: tensor_pb2.TensorProto, *, name: str, shape: Shape) -> Sequence[int]:
    """Returns the values of a DT_INT32 tensor, flattened row by row."""
    listed = _listed(tensor, tensor_pb2.DT_INT32, shape, tensor.int_val)
    if listed is not None:
        return listed
    count = _count(tensor, name, tensor_pb2.DT_INT32, shape)
    return _numbers(array("i"), tensor.tensor_content, tensor.int_val, name, count)


def _listed(
    tensor: tensor_pb2.TensorProto, dtype: tensor_pb2.DataType, shape: Shape, values: Any
) -> list[Any] | None:
    """Returns the values of a vector if all of them are listed, without the cost of other cases."""
    dims, rows = tensor.tensor_shape.dim, len(values)
    if len(dims) != 1 or (dims[0].size,) != shape or rows != dims[0].size:
        return None
    if tensor.dtype != dtype or tensor.tensor_content:  # raw bytes are preferred to a list
        return None
    listed: list[Any] = values[:]
    return listed


def _count(
    tensor: tensor_pb2.TensorProto, name: str, dtype: tensor_pb2.DataType, shape: Shape
) -> int:
    """Returns the number of values of a tensor, which must have this dtype and shape."""
    found = [dim.size for dim in tensor.tensor_shape.dim]
    fits = len(found) == len(shape) and all(
        size == expected or (expected is None and size >= 0)
        for size, expected in zip(found, shape, strict=True)
    )
    if tensor.dtype != dtype or not fits:
        raise UnexpectedResponse(
            f"output {name!r} should be {tensor_pb2.DataType.Name(dtype)} of shape "
            f"[{', '.join('any' if size is None else str(size) for size in shape)}], "
            f"not DataType {tensor.dtype} of shape {found}"
        )
    count = math.prod(found)
    if count > MAX_VALUES:
        raise UnexpectedResponse(
            f"output {name!r} has a shape of {count} values: expected at most {MAX_VALUES}"
        )
    return count


def _numbers(
    values: array[Number], content: bytes, listed: Sequence[Number], name: str, count: int
) -> Sequence[Number]:
    if not content:
        return _filled(listed, name, count)
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
        raise UnexpectedResponse(f"output {name!r} has no values: expected {count}")
    return (known + known[-1:] * (count - len(known)))[:count]
