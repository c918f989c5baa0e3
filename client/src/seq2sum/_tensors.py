"""Vectors out of TensorProtos, with nothing but the standard library.

A server may send numbers as raw little-endian bytes in `tensor_content` or in the repeated
field of their type, and in the latter form a short list stands for its last value repeated.
Both are read. Strings are read from `string_val`, the form that servers use by default.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import TypeVar

from seq2sum._errors import UnexpectedResponse
from seq2sum.protocol import tensor_pb2

Value = TypeVar("Value")
Number = TypeVar("Number", int, float)


def vector_of_strings(values: Sequence[bytes]) -> tensor_pb2.TensorProto:
    """A DT_STRING tensor of shape `[len(values)]`."""
    tensor = tensor_pb2.TensorProto(dtype=tensor_pb2.DT_STRING, string_val=values)
    tensor.tensor_shape.dim.add(size=len(values))
    return tensor


def strings(tensor: tensor_pb2.TensorProto, *, name: str, rows: int) -> Sequence[bytes]:
    """The `rows` values of a DT_STRING vector."""
    _check(tensor, name, tensor_pb2.DT_STRING, rows)
    return _filled(tensor.string_val, name, rows)


def floats(tensor: tensor_pb2.TensorProto, *, name: str, rows: int) -> Sequence[float]:
    """The `rows` values of a DT_FLOAT vector."""
    _check(tensor, name, tensor_pb2.DT_FLOAT, rows)
    if tensor.tensor_content:
        return _raw(array("f"), tensor.tensor_content, name, rows)
    return _filled(tensor.float_val, name, rows)


def integers(tensor: tensor_pb2.TensorProto, *, name: str, rows: int) -> Sequence[int]:
    """The `rows` values of a DT_INT32 vector."""
    _check(tensor, name, tensor_pb2.DT_INT32, rows)
    if tensor.tensor_content:
        return _raw(array("i"), tensor.tensor_content, name, rows)
    return _filled(tensor.int_val, name, rows)


def _check(
    tensor: tensor_pb2.TensorProto, name: str, dtype: tensor_pb2.DataType, rows: int
) -> None:
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.dtype != dtype or shape != [rows]:
        wanted = tensor_pb2.DataType.Name(dtype)
        raise UnexpectedResponse(
            f"output {name!r} should be {wanted} of shape [{rows}], "
            f"and is DataType {tensor.dtype} of shape {shape}"
        )


def _raw(values: array[Number], content: bytes, name: str, rows: int) -> array[Number]:
    if len(content) != rows * values.itemsize:
        raise UnexpectedResponse(
            f"output {name!r} has {len(content)} bytes of content for {rows} rows"
        )
    values.frombytes(content)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _filled(values: Sequence[Value], name: str, rows: int) -> Sequence[Value]:
    if len(values) >= rows:
        return values
    if not values:
        raise UnexpectedResponse(f"output {name!r} has no values for {rows} rows")
    return [*values, *[values[-1]] * (rows - len(values))]
