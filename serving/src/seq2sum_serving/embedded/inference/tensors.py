"""Tensors between their wire form and numpy arrays, by TensorFlow's rules for any dtype.

Reading is lenient where TensorFlow is: a list that is too short stands for its last value
repeated, no values at all for zeros, a missing shape for a scalar. It is strict where
TensorFlow is: raw content must have exactly the size that dtype and shape ask for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2, types_pb2

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

__all__ = ["FIELDS", "datatype", "decode", "elements", "encode", "write"]

MAX_DIMENSIONS = 254
"""TensorShape::MaxDimensions, of tensorflow/core/framework/tensor_shape.h."""
LARGEST_BYTES = 2**31 - 1
"""Of one tensor: what one message can hold."""
LARGEST_FILL_BYTES = 2**28
"""Of a tensor that is made up for the most part: a short list may claim any shape."""
STRING_BYTES = 24
"""What TensorFlow holds for each string, an empty one too."""

PACKED = {
    types_pb2.DT_FLOAT: 5,
    types_pb2.DT_DOUBLE: 6,
    types_pb2.DT_COMPLEX64: 9,
    types_pb2.DT_COMPLEX128: 12,
}
"""Numbers of the fields that hold values of a fixed width."""
SINGLES = (types_pb2.DT_FLOAT, types_pb2.DT_COMPLEX64)
"""Their values do not pass through Python floats, which set a bit of a signalling NaN."""
VARINTS = {types_pb2.DT_INT32: 7, types_pb2.DT_INT64: 10}
"""The same of fields whose values are as wide as they need to be."""
FEW = 64
"""Up to so many values are handed over one by one: that is quicker then."""
LARGEST_ONE_BYTE = 0x80
"""From here on a value takes more than the byte that it is."""
LENGTH_DELIMITED = 2
"""protobuf's wire type of a packed field."""


def decode(tensor: tensor_pb2.TensorProto) -> Any:
    """The array, or FlatTensor, of a TensorProto; strings are bytes in an object array.

    Raises:
        ValueError: TensorFlow would not take it either.
    """
    shape = _shape(tensor)
    if 0 in shape:
        # TensorFlow aborts the process if an operation multiplies large sizes next to a 0: a sum
        # of [0, 4, 2**40, 2**63-1] over the first dimension, a concatenation of two [2**62, 0].
        sizes = [size or 1 for size in shape]
        _check_size(sizes, _item_bytes(tensor.dtype), LARGEST_FILL_BYTES)
    return reshape(_values(tensor, shape, math.prod(shape)), shape)


def elements(tensor: tensor_pb2.TensorProto) -> NDArray[Any]:
    """The elements of a TensorProto in one dimension, whatever its rank.

    Raises:
        ValueError: As in `decode`.
    """
    shape = _shape(tensor)
    return _values(tensor, shape, math.prod(shape))


def _values(tensor: tensor_pb2.TensorProto, shape: tuple[int, ...], count: int) -> NDArray[Any]:
    """The elements in one dimension."""
    if tensor.dtype == types_pb2.DT_STRING:
        _check_size(shape, STRING_BYTES, LARGEST_BYTES)
        content = tensor.tensor_content
        if content:
            return _texts(_strings(content, count), count)
        texts = tensor.string_val
        if len(texts) < count:
            _check_size(shape, STRING_BYTES, LARGEST_FILL_BYTES)
        return _texts(texts[:count], count)
    dtype = numpy_dtype(tensor.dtype)
    if tensor.dtype in OPAQUE:
        _check_size(shape, STRING_BYTES, LARGEST_FILL_BYTES)
        return np.zeros(count, dtype)
    _check_size(shape, dtype.itemsize, LARGEST_BYTES)
    if tensor.dtype not in FIELDS:
        return _by_tensorflow(tensor, dtype, count)
    if tensor.tensor_content:
        return _raw(tensor.tensor_content, dtype, count)
    return _typed(tensor, dtype, shape)


def encode(array: Any) -> tensor_pb2.TensorProto:
    """The wire form of an array, with one value an element in the repeated field of its type."""
    tensor = tensor_pb2.TensorProto()
    write(array, tensor)
    return tensor


def write(
    array: Any, tensor: tensor_pb2.TensorProto, *, as_content: bool = False, dtype: int = 0
) -> None:
    """Makes an empty tensor the wire form of an array, in place: a copy costs as much again.

    Args:
        array: What to write.
        tensor: Where to.
        as_content: Whether its bytes go into `tensor_content`, in place of typed values.
        dtype: DataType of the tensor in its graph, if known; it counts where arrays cannot
            tell, which is for quantized numbers.
    """
    found = dtype if dtype in QUANTIZED else datatype(array)
    tensor.dtype = found
    shape = tensor.tensor_shape
    shape.SetInParent()
    for size in array.shape:
        shape.dim.add(size=size)
    flat = array.ravel()
    if found in QUANTIZED:
        flat = flat.view(QUANTIZED[found])
    if as_content:
        tensor.tensor_content = _content(flat)
    elif found == types_pb2.DT_STRING:
        tensor.string_val.extend(flat.tolist())
    else:
        _write_numbers(flat, found, tensor)


def _write_numbers(flat: NDArray[Any], found: int, tensor: tensor_pb2.TensorProto) -> None:
    """Puts numbers into the repeated field of their type, each as it is."""
    many = flat.size > FEW
    if found in SINGLES or (many and found in PACKED):
        tensor.MergeFromString(_packed(PACKED[found], flat))
        return
    if many and found in VARINTS and flat.min() >= 0 and flat.max() < LARGEST_ONE_BYTE:
        tensor.MergeFromString(_packed(VARINTS[found], flat.astype(np.uint8)))
        return
    if found not in FIELDS:
        _write_rare(flat, tensor)
        return
    field, kind = FIELDS[found]
    if found in BITS:
        flat = flat.view(np.uint16)
    elif found in PAIRS:
        flat = flat.view(kind)
    getattr(tensor, field).extend(flat.tolist())


def _write_rare(flat: NDArray[Any], tensor: tensor_pb2.TensorProto) -> None:
    """Numbers of eight bits and less, and quantized ones."""
    if "float" in flat.dtype.name:
        tensor.float8_val = flat.tobytes()
    else:
        tensor.int_val.extend(flat.astype(np.int32).tolist())


def _content(flat: NDArray[Any]) -> bytes:
    """Raw bytes, little-endian; of strings all lengths as varints, then all the bytes."""
    if flat.dtype == object:
        texts = flat.tolist()
        return b"".join([*(_varint(len(text)) for text in texts), *texts])
    return flat.astype(flat.dtype.newbyteorder("<"), copy=False).tobytes()


def _packed(field: int, flat: NDArray[Any]) -> bytes:
    """A message that has this packed field alone, in protobuf's wire format.

    Numbers of fixed width are on the wire as they are in memory (little-endian); to hand them
    over one by one as Python objects takes many times as long.
    """
    content = _content(flat)
    return bytes([field << 3 | LENGTH_DELIMITED]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    head = bytearray()
    while number > 0x7F:
        head.append(number & 0x7F | 0x80)
        number >>= 7
    head.append(number)
    return bytes(head)


def _shape(tensor: tensor_pb2.TensorProto) -> tuple[int, ...]:
    # `unknown_rank` counts in partial shapes only (tensorflow/core/framework/tensor_shape.cc).
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if len(shape) > MAX_DIMENSIONS or min(shape, default=0) < 0:
        raise ValueError(f"shape {shape} is not one of a value")
    return shape


def _item_bytes(dtype: int) -> int:
    """Memory of one element in TensorFlow."""
    if dtype == types_pb2.DT_STRING or dtype in OPAQUE:
        return STRING_BYTES
    return numpy_dtype(dtype).itemsize


def _check_size(shape: Sequence[int], item_bytes: int, limit: int) -> None:
    if math.prod(shape) * item_bytes > limit:
        raise ValueError(f"a tensor of shape {shape} is too large")


def _raw(content: bytes, dtype: Any, count: int) -> NDArray[Any]:
    if count == 0:
        return np.empty(0, dtype)
    if dtype == np.bool_ and content.strip(b"\0\1"):
        raise ValueError("a bool is neither 0 nor 1")
    if len(content) != count * np.dtype(dtype).itemsize:
        raise ValueError(f"{len(content)} bytes for {count} values")
    return np.frombuffer(content, dtype)


def _typed(
    tensor: tensor_pb2.TensorProto, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    field, kind = FIELDS[tensor.dtype]
    count = math.prod(shape)
    if tensor.dtype in PAIRS:
        parts = np.array(getattr(tensor, field)[: 2 * count], kind)
        values = parts[: len(parts) // 2 * 2].view(dtype)
    else:
        values = np.array(getattr(tensor, field)[:count], kind)
        if tensor.dtype in BITS:
            values = values.astype(np.uint16).view(dtype)
        values = values.astype(dtype, copy=False)
    known = len(values)
    if known < count:
        _check_size(shape, dtype.itemsize, LARGEST_FILL_BYTES)
        full = np.zeros(count, dtype)
        if known:
            full[:known] = values
            full[known:] = values[-1]
        values = full
    if tensor.dtype in SINGLES and np.isnan(values).any():
        return _parsed(tensor, count)
    return values


def _texts(texts: Sequence[bytes], count: int) -> NDArray[Any]:
    """An object array of these strings; what is missing is as the last of them."""
    array = np.empty(count, object)
    known = len(texts)
    array[:known] = texts
    if known < count:
        array[known:] = texts[-1] if known else b""
    return array


def _by_tensorflow(
    tensor: tensor_pb2.TensorProto, dtype: np.dtype[Any], count: int
) -> NDArray[Any]:
    """What TensorFlow itself makes of a dtype that is too rare for rules of our own."""
    if count > max(map(len, (tensor.int_val, tensor.tensor_content, tensor.float8_val))):
        _check_size((count,), dtype.itemsize, LARGEST_FILL_BYTES)
    try:
        array = _parsed(tensor, count)
    except (tf.errors.OpError, TypeError, NotImplementedError) as error:
        raise ValueError(f"no tensor of dtype {tensor.dtype}") from error
    return array if array.dtype == dtype else array.view(dtype)


def _parsed(tensor: tensor_pb2.TensorProto, count: int) -> NDArray[Any]:
    """Returns the elements in one dimension, as TensorFlow's own parser finds them."""
    flat = tensor_pb2.TensorProto()
    flat.CopyFrom(tensor)
    flat.tensor_shape.ClearField("dim")
    flat.tensor_shape.dim.add(size=count)
    return np.asarray(tf.io.parse_tensor(flat.SerializeToString(), tf.as_dtype(tensor.dtype)))


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
    ends = list(accumulate(lengths, initial=position))
    return [content[start:end] for start, end in pairwise(ends)]
