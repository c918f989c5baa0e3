"""Conversion between TensorProtos and numpy arrays, by TensorFlow's rules for any dtype.

Reading is as lenient as TensorFlow: if a list is too short, its last value is repeated; an empty
list means zeros, and a missing shape means a scalar. It is also as strict as TensorFlow: raw
content must have exactly the size that dtype and shape require. In addition, the size of tensors is
limited.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2, types_pb2

from seq2sum_serving.embedded.inference import tensorflow_parts as tf
from seq2sum_serving.embedded.inference.datatypes import (
    BITS,
    FIELDS,
    OPAQUE,
    PAIRS,
    QUANTIZED,
    datatype,
    numpy_dtype,
)
from seq2sum_serving.embedded.inference.flat_tensor import reshape
from seq2sum_serving.embedded.inference.wire_format import LENGTH_DELIMITED, ONE_BYTE_END, varint

MAX_DIMENSIONS = 254
"""TensorShape::MaxDimensions, of tensorflow/core/framework/tensor_shape.h."""
LARGEST_BYTES = 2**31 - 1
"""Limit of a tensor's memory, which is also the limit of a protobuf message."""
LARGEST_FILL_BYTES = 2**28
"""Limit of a tensor whose values are not all in the request: any shape fits into a few bytes."""
STRING_BYTES = 24
"""TensorFlow's memory for each string, even an empty one."""

PACKED = {
    types_pb2.DT_FLOAT: 5,
    types_pb2.DT_DOUBLE: 6,
    types_pb2.DT_COMPLEX64: 9,
    types_pb2.DT_COMPLEX128: 12,
}
"""Field numbers of the repeated fields whose values have a fixed width."""
SINGLES = (types_pb2.DT_FLOAT, types_pb2.DT_COMPLEX64)
"""Dtypes that must not pass through Python floats, which would make a signalling NaN quiet."""
VARINTS = {types_pb2.DT_INT32: 7, types_pb2.DT_INT64: 10}
"""Field numbers of the repeated fields whose values are varints."""
FEW = 64
"""Up to this number of values, passing them as Python objects is faster than packing them."""


def decode(tensor: tensor_pb2.TensorProto) -> Any:
    """Returns a tensor of a request as array or FlatTensor; strings are bytes in an object array.

    Raises:
        ValueError: TensorFlow would reject the tensor, or it is too large.
    """
    if tensor.dtype == types_pb2.DT_STRING:
        texts, dim = tensor.string_val, tensor.tensor_shape.dim
        count = len(texts)
        if (
            len(dim) == 1
            and dim[0].size == count
            and 0 < count <= LARGEST_BYTES // STRING_BYTES
            and not tensor.tensor_content
        ):
            return np.fromiter(texts, object, count)  # the usual case, which needs no other check
    shape = _shape(tensor)
    if 0 in shape:
        # An operation that multiplies or adds the other sizes of an empty tensor can overflow, and
        # TensorFlow then aborts the process: for example, a sum of [0, 4, 2**40, 2**63-1] over the
        # first dimension, or a concatenation of two [2**62, 0].
        sizes = [size or 1 for size in shape]
        _check_size(sizes, _item_bytes(tensor.dtype), LARGEST_FILL_BYTES)
    return reshape(_values(tensor, shape), shape)


def elements(tensor: tensor_pb2.TensorProto) -> NDArray[Any]:
    """Returns the elements of a TensorProto of any rank as a flat array.

    Raises:
        ValueError: As in `decode`, without its limit for empty tensors.
    """
    return _values(tensor, _shape(tensor))


def _shape(tensor: tensor_pb2.TensorProto) -> tuple[int, ...]:
    # TensorFlow ignores `unknown_rank` here (tensorflow/core/framework/tensor_shape.cc).
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if len(shape) > MAX_DIMENSIONS or min(shape, default=0) < 0:
        raise ValueError(f"invalid shape of a value: {shape}")
    return shape


def _item_bytes(dtype: int) -> int:
    """Returns TensorFlow's memory for an element."""
    if dtype == types_pb2.DT_STRING or dtype in OPAQUE:
        return STRING_BYTES
    return numpy_dtype(dtype).itemsize


def _check_size(shape: Sequence[int], item_bytes: int, limit: int) -> None:
    if math.prod(shape) * item_bytes > limit:
        raise ValueError(f"a tensor of shape {shape} is too large")


def _values(tensor: tensor_pb2.TensorProto, shape: tuple[int, ...]) -> NDArray[Any]:
    """Returns the elements as a flat array."""
    count = math.prod(shape)
    if tensor.dtype in OPAQUE:
        _check_size(shape, STRING_BYTES, LARGEST_FILL_BYTES)
        return np.zeros(count, numpy_dtype(tensor.dtype))
    _check_size(shape, _item_bytes(tensor.dtype), LARGEST_BYTES)
    if tensor.dtype == types_pb2.DT_STRING:
        if tensor.tensor_content:
            return _texts(_strings(tensor.tensor_content, count), count)
        texts = tensor.string_val
        if len(texts) < count:
            _check_size(shape, STRING_BYTES, LARGEST_FILL_BYTES)
        return _texts(texts[:count], count)
    dtype = numpy_dtype(tensor.dtype)
    if tensor.dtype not in FIELDS:
        return _rare(tensor, dtype, count)
    if tensor.tensor_content:
        return _raw(tensor.tensor_content, dtype, count)
    return _typed(tensor, dtype, count)


def _raw(content: bytes, dtype: Any, count: int) -> NDArray[Any]:
    if count == 0:
        return np.empty(0, dtype)
    if dtype == np.bool_ and content.strip(b"\0\1"):
        raise ValueError("invalid bool: expected 0 or 1")
    if len(content) != count * np.dtype(dtype).itemsize:
        raise ValueError(f"{len(content)} bytes for {count} values")
    return np.frombuffer(content, dtype)


def _typed(tensor: tensor_pb2.TensorProto, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """Returns the values of the repeated field of a dtype, filled up to a number of elements."""
    field, field_dtype = FIELDS[tensor.dtype]
    if tensor.dtype in PAIRS:
        parts = np.array(getattr(tensor, field)[: 2 * count], field_dtype)
        values = parts[: len(parts) // 2 * 2].view(dtype)
    else:
        values = np.array(getattr(tensor, field)[:count], field_dtype)
        if tensor.dtype in BITS:
            values = values.astype(np.uint16).view(dtype)
        values = values.astype(dtype, copy=False)
    known = len(values)
    if known < count:
        _check_size((count,), dtype.itemsize, LARGEST_FILL_BYTES)
        full = np.zeros(count, dtype)
        if known:
            full[:known] = values
            full[known:] = values[-1]
        values = full
    if tensor.dtype in SINGLES and np.isnan(values).any():
        return _parsed(tensor, count)
    return values


def _texts(texts: Sequence[bytes], count: int) -> NDArray[Any]:
    """Returns an object array of strings, filled up with the last one."""
    array = np.empty(count, object)
    known = len(texts)
    array[:known] = texts
    if known < count:
        array[known:] = texts[-1] if known else b""
    return array


def _strings(content: bytes, count: int) -> list[bytes]:
    """Returns the strings in raw content: all lengths as varints, then all bytes."""
    if count == 0:
        return []
    lengths, position = [], 0
    for _ in range(count):
        length = shift = 0
        while True:
            if position >= len(content) or shift > 63:
                raise ValueError("the lengths of the strings are truncated")
            byte = content[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        lengths.append(length)
    if position + sum(lengths) != len(content):
        raise ValueError("the lengths of the strings do not add up to the content")
    ends = list(accumulate(lengths, initial=position))
    return [content[start:end] for start, end in pairwise(ends)]


def _rare(tensor: tensor_pb2.TensorProto, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """Returns the elements of a quantized dtype, an 8-bit float, or one of less than 8 bits."""
    if count > max(map(len, (tensor.int_val, tensor.tensor_content, tensor.float8_val))):
        _check_size((count,), dtype.itemsize, LARGEST_FILL_BYTES)
    try:
        array = _parsed(tensor, count)
    except (tf.errors.OpError, TypeError, NotImplementedError) as error:
        raise ValueError(f"invalid tensor of dtype {tensor.dtype}") from error
    return array if array.dtype == dtype else array.view(dtype)


def _parsed(tensor: tensor_pb2.TensorProto, count: int) -> NDArray[Any]:
    """Returns the elements as a flat array, read by TensorFlow's own parser."""
    flat = tensor_pb2.TensorProto()
    flat.CopyFrom(tensor)
    flat.tensor_shape.ClearField("dim")
    flat.tensor_shape.dim.add(size=count)
    return np.asarray(tf.parse_tensor(flat.SerializeToString(), tf.as_dtype(tensor.dtype)))


def encode(array: Any) -> tensor_pb2.TensorProto:
    """Returns the TensorProto of an array, with its values in the repeated field of its dtype."""
    tensor = tensor_pb2.TensorProto()
    write(array, tensor)
    return tensor


def write(
    array: Any, tensor: tensor_pb2.TensorProto, *, as_content: bool = False, dtype: int = 0
) -> None:
    """Writes an array or FlatTensor into an empty TensorProto in place, which saves a copy.

    Args:
        array: The values.
        tensor: The message to fill.
        as_content: Whether to write raw bytes into `tensor_content` in place of typed values.
        dtype: DataType of the tensor in the graph if known; only quantized dtypes need it.
    """
    written = dtype if dtype in QUANTIZED else datatype(array)
    tensor.dtype = written
    shape = tensor.tensor_shape
    shape.SetInParent()
    for size in array.shape:
        shape.dim.add(size=size)
    flat = array.ravel()
    if written in QUANTIZED:
        flat = flat.view(QUANTIZED[written])
    if as_content:
        tensor.tensor_content = _content(flat)
    elif written == types_pb2.DT_STRING:
        tensor.string_val.extend(flat.tolist())
    else:
        _write_numbers(flat, written, tensor)


def _write_numbers(flat: NDArray[Any], dtype: int, tensor: tensor_pb2.TensorProto) -> None:
    """Writes numbers into the repeated field of their dtype, with every bit unchanged."""
    many = flat.size > FEW
    if dtype in SINGLES or (many and dtype in PACKED):
        tensor.MergeFromString(packed(PACKED[dtype], flat))
    elif many and dtype in VARINTS and flat.min() >= 0 and flat.max() < ONE_BYTE_END:
        tensor.MergeFromString(packed(VARINTS[dtype], flat.astype(np.uint8)))
    elif dtype in FIELDS:
        field, field_dtype = FIELDS[dtype]
        if dtype in BITS:
            flat = flat.view(np.uint16)
        elif dtype in PAIRS:
            flat = flat.view(field_dtype)
        getattr(tensor, field).extend(flat.tolist())
    elif "float" in flat.dtype.name:
        tensor.float8_val = flat.tobytes()
    else:
        tensor.int_val.extend(flat.astype(np.int32).tolist())


def _content(flat: NDArray[Any]) -> bytes:
    """Returns raw bytes, little-endian; for strings all lengths as varints, then all bytes."""
    if flat.dtype == object:
        texts = flat.tolist()
        return b"".join([*(varint(len(text)) for text in texts), *texts])
    if sys.byteorder == "big":
        flat = flat.byteswap()
    return flat.tobytes()


def packed(field: int, flat: NDArray[Any]) -> bytes:
    """Returns a serialized message with only this packed field.

    Numbers of fixed width have the same bytes in memory (little-endian) and on the wire. Passing
    them as Python objects, one by one, takes many times as long.
    """
    content = _content(flat)
    return bytes([field << 3 | LENGTH_DELIMITED]) + varint(len(content)) + content
