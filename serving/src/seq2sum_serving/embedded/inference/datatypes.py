"""DataTypes and numpy's dtypes, and where the values of each are in a TensorProto."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import types_pb2

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

BITS = {types_pb2.DT_HALF, types_pb2.DT_BFLOAT16}
"""Sent as their 16-bit patterns."""
PAIRS = {types_pb2.DT_COMPLEX64, types_pb2.DT_COMPLEX128}
"""Sent as real and imaginary parts in turn."""


QUANTIZED = {
    types_pb2.DT_QINT8: np.dtype(np.int8),
    types_pb2.DT_QUINT8: np.dtype(np.uint8),
    types_pb2.DT_QINT16: np.dtype(np.int16),
    types_pb2.DT_QUINT16: np.dtype(np.uint16),
    types_pb2.DT_QINT32: np.dtype(np.int32),
}
"""They leave a session as the numbers they are made of."""
OPAQUE = {
    types_pb2.DT_RESOURCE: np.dtype([("handle", np.void, 1)]),
    types_pb2.DT_VARIANT: np.dtype([("variant", np.void, 1)]),
}
"""Arrays of these dtypes of our own hold no values: they have a shape and can be refused."""
FIRST_REFERENCE = 101
"""From here on dtypes are those of references."""

_DTYPES: dict[int, np.dtype[Any]] = dict(OPAQUE)
_DATATYPES: dict[np.dtype[Any], int] = {dtype: datatype for datatype, dtype in OPAQUE.items()}


def numpy_dtype(datatype: int) -> np.dtype[Any]:
    """The numpy dtype of a DataType; that of strings is object.

    Raises:
        ValueError: It is not the dtype of a value.
    """
    dtype = _DTYPES.get(datatype)
    if dtype is None:
        if datatype == types_pb2.DT_INVALID or datatype >= FIRST_REFERENCE:
            raise ValueError(f"dtype {datatype} is not one of a value")
        try:
            dtype = np.dtype(tf.as_dtype(datatype).as_numpy_dtype)
        except (KeyError, TypeError) as error:
            raise ValueError(f"dtype {datatype} is not one of a value") from error
        _DTYPES[datatype] = dtype
    return dtype


def datatype(array: NDArray[Any]) -> int:
    """The DataType of an array; objects are strings.

    Raises:
        TypeError: numpy's own strings, which have lost the NUL bytes at their ends.
    """
    found = _DATATYPES.get(array.dtype)
    if found is None:
        if array.dtype.kind in "SU":
            raise TypeError(f"strings of dtype {array.dtype}: expected bytes of dtype object")
        found = tf.as_dtype(tf.string if array.dtype == object else array.dtype).as_datatype_enum
        _DATATYPES[array.dtype] = found
    return found


def name(datatype: int) -> str:
    """What TensorFlow calls a DataType in its messages: `float`.

    Only the name of no type is in capitals (`DataTypeString` in
    tensorflow/core/framework/types.cc): composite tensors in signatures have none.
    """
    full: str = types_pb2.DataType.Name(datatype)
    short = full.removeprefix("DT_")
    return short.lower() if datatype else short


def shape_text(shape: Sequence[int]) -> str:
    """A shape in TensorFlow's form: `[2,3]`."""
    return f"[{','.join(map(str, shape))}]"
