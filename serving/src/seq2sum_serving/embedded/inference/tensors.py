"""Tensors between their wire form and numpy arrays, by TensorFlow's rules for any dtype.

Reading is lenient where TensorFlow is: a list that is too short stands for its last value
repeated, no values at all for zeros, a missing shape for a scalar. It is strict where
TensorFlow is: raw content must have exactly the size that dtype and shape ask for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2, types_pb2

LARGEST_BYTES = 2**31 - 1
"""Of one tensor: what one message can hold. A short list may claim any shape."""
STRING_BYTES = 24
"""What TensorFlow holds for each string, an empty one too."""

Field = tuple[str, Any]
"""Name of the repeated field, and the numpy dtype of its values."""

FIELDS: dict[int, Field] = {
    types_pb2.DT_FLOAT: ("float_val", np.float32),
    types_pb2.DT_DOUBLE: ("double_val", np.float64),
    types_pb2.DT_INT32: ("int_val", np.int32),
    types_pb2.DT_INT16: ("int_val", np.int32),
    types_pb2.DT_INT8: ("int_val", np.int32),
    types_pb2.DT_UINT8: ("int_val", np.int32),
    types_pb2.DT_UINT16: ("int_val", np.int32),
    types_pb2.DT_INT64: ("int64_val", np.int64),
    types_pb2.DT_UINT32: ("uint32_val", np.uint32),
    types_pb2.DT_UINT64: ("uint64_val", np.uint64),
    types_pb2.DT_BOOL: ("bool_val", np.bool_),
    types_pb2.DT_HALF: ("half_val", np.int32),
    types_pb2.DT_BFLOAT16: ("half_val", np.int32),
    types_pb2.DT_COMPLEX64: ("scomplex_val", np.float32),
    types_pb2.DT_COMPLEX128: ("dcomplex_val", np.float64),
}
"""Where values of a dtype are when they are not raw content."""

PACKED = {types_pb2.DT_FLOAT: 5, types_pb2.DT_DOUBLE: 6}
"""Numbers of the fields that hold values of a fixed width."""
VARINTS = {types_pb2.DT_INT32: 7, types_pb2.DT_INT64: 10}
"""The same of fields whose values are as wide as they need to be."""
LARGEST_ONE_BYTE = 0x80
"""From here on a value takes more than the byte that it is."""
LENGTH_DELIMITED = 2
"""protobuf's wire type of a packed field."""

BITS = {types_pb2.DT_HALF, types_pb2.DT_BFLOAT16}
"""Sent as their 16-bit patterns."""
PAIRS = {types_pb2.DT_COMPLEX64, types_pb2.DT_COMPLEX128}
"""Sent as real and imaginary parts in turn."""


def decode(tensor: tensor_pb2.TensorProto) -> NDArray[Any]:
    """The array that a TensorProto stands for; strings are bytes in an object array.

    Raises:
        ValueError: TensorFlow would not take it either.
    """
    shape = _shape(tensor)
    count = math.prod(shape)
    if tensor.dtype == types_pb2.DT_STRING:
        _check_size(shape, STRING_BYTES)
        texts = (
            _strings(tensor.tensor_content, count)
            if tensor.tensor_content
            else _filled(tensor.string_val, count)
        )
        return np.array(texts, object).reshape(shape)
    if tensor.dtype not in FIELDS:
        raise ValueError(f"dtype {tensor.dtype} is not one of a value")
    dtype = tf.as_dtype(tensor.dtype).as_numpy_dtype
    _check_size(shape, np.dtype(dtype).itemsize)
    if tensor.tensor_content:
        return _raw(tensor.tensor_content, dtype, count).reshape(shape)
    return _typed(tensor, dtype, count).reshape(shape)


def datatype(array: NDArray[Any]) -> int:
    """The DataType of an array; objects are strings."""
    dtype: int = tf.as_dtype(tf.string if array.dtype == object else array.dtype).as_datatype_enum
    return dtype


def encode(array: Any) -> tensor_pb2.TensorProto:
    """The wire form of an array, with one value an element in the repeated field of its type."""
    tensor = tensor_pb2.TensorProto()
    write(array, tensor)
    return tensor


def write(array: Any, tensor: tensor_pb2.TensorProto) -> None:
    """Makes an empty tensor the wire form of an array, in place: a copy costs as much again."""
    array = np.asarray(array)
    dtype = datatype(array)
    tensor.dtype = dtype
    tensor.tensor_shape.SetInParent()
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    flat = array.reshape(-1)
    if dtype == types_pb2.DT_STRING:
        tensor.string_val.extend(flat.tolist())
        return
    if dtype in PACKED and flat.size:
        tensor.MergeFromString(_packed(PACKED[dtype], flat))
        return
    if dtype in VARINTS and flat.size and flat.min() >= 0 and flat.max() < LARGEST_ONE_BYTE:
        tensor.MergeFromString(_packed(VARINTS[dtype], flat.astype(np.uint8)))
        return
    field, kind = FIELDS[dtype]
    if dtype in BITS:
        flat = flat.view(np.uint16)
    elif dtype in PAIRS:
        flat = flat.view(kind)
    getattr(tensor, field).extend(flat.tolist())


def _packed(field: int, flat: NDArray[Any]) -> bytes:
    """A message that has this packed field alone, in protobuf's wire format.

    Numbers of fixed width are on the wire as they are in memory (little-endian); to hand them
    over one by one as Python objects takes many times as long.
    """
    content = flat.astype(flat.dtype.newbyteorder("<"), copy=False).tobytes()
    length, head = len(content), bytearray([field << 3 | LENGTH_DELIMITED])
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + content


def _shape(tensor: tensor_pb2.TensorProto) -> tuple[int, ...]:
    if tensor.tensor_shape.unknown_rank:
        return ()
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if min(shape, default=0) < 0:
        raise ValueError(f"shape {shape} is not one of a value")
    return shape


def _check_size(shape: tuple[int, ...], item_bytes: int) -> None:
    if math.prod(shape) * item_bytes > LARGEST_BYTES:
        raise ValueError(f"a tensor of shape {shape} is too large")


def _raw(content: bytes, dtype: Any, count: int) -> NDArray[Any]:
    if count == 0:
        return np.empty(0, dtype)
    if dtype == np.bool_ and content.strip(b"\0\1"):
        raise ValueError("a bool is neither 0 nor 1")
    if len(content) != count * np.dtype(dtype).itemsize:
        raise ValueError(f"{len(content)} bytes for {count} values")
    return np.frombuffer(content, dtype)


def _typed(tensor: tensor_pb2.TensorProto, dtype: Any, count: int) -> NDArray[Any]:
    field, kind = FIELDS[tensor.dtype]
    if tensor.dtype in PAIRS:
        parts = np.array(getattr(tensor, field), kind)
        values = parts[: len(parts) // 2 * 2].view(dtype)
    else:
        values = np.array(getattr(tensor, field)[:count], kind)
        if tensor.dtype in BITS:
            values = values.astype(np.uint16).view(dtype)
        values = values.astype(dtype)
    full = np.zeros(count, dtype)
    full[: len(values)] = values[:count]
    if 0 < len(values) < count:
        full[len(values) :] = values[-1]
    return full


def _filled(values: Sequence[bytes], count: int) -> list[bytes]:
    known = list(values[:count])
    return known + [known[-1] if known else b""] * (count - len(known))


def _strings(content: bytes, count: int) -> list[bytes]:
    """Strings in raw content: all lengths as varints, then all the bytes."""
    if count == 0:
        return []
    lengths, position = [], 0
    for _ in range(count):
        length = shift = 0
        while True:
            if position >= len(content) or shift > 63:
                raise ValueError("the lengths of the strings are cut off")
            byte = content[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        lengths.append(length)
    if position + sum(lengths) != len(content):
        raise ValueError("the strings are not as long as they claim")
    texts = []
    for length in lengths:
        texts.append(content[position : position + length])
        position += length
    return texts
