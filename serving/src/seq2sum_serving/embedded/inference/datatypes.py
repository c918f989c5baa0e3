"""DataTypes, their numpy dtypes, and the fields of a TensorProto that hold their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow.core.framework import types_pb2

from seq2sum_serving.embedded.inference import tensorflow_parts as tf

Field = tuple[str, Any]
"""Name of a repeated field, and the numpy dtype of its values."""

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
"""The repeated field that holds the values if `tensor_content` is empty, by DataType."""

BITS = {types_pb2.DT_HALF, types_pb2.DT_BFLOAT16}
"""Dtypes that are sent as their 16-bit patterns."""
PAIRS = {types_pb2.DT_COMPLEX64, types_pb2.DT_COMPLEX128}
"""Dtypes that are sent as alternating real and imaginary parts."""

QUANTIZED = {
    types_pb2.DT_QINT8: np.dtype(np.int8),
    types_pb2.DT_QUINT8: np.dtype(np.uint8),
    types_pb2.DT_QINT16: np.dtype(np.int16),
    types_pb2.DT_QUINT16: np.dtype(np.uint16),
    types_pb2.DT_QINT32: np.dtype(np.int32),
}
"""Dtypes that a session returns as their underlying integers."""
OPAQUE = {
    types_pb2.DT_RESOURCE: np.dtype([("handle", np.void, 1)]),
    types_pb2.DT_VARIANT: np.dtype([("variant", np.void, 1)]),
}
"""Dtypes whose values cannot be sent. Their arrays only carry a shape and a dtype, so that the
run of the graph can refuse them."""
FIRST_REFERENCE = 101
"""The lowest DataType of a reference."""

_DTYPES: dict[int, np.dtype[Any]] = dict(OPAQUE)
_DATATYPES: dict[np.dtype[Any], int] = {dtype: datatype for datatype, dtype in OPAQUE.items()}


def numpy_dtype(datatype: int) -> np.dtype[Any]:
    """Returns the numpy dtype of a DataType; `object` for strings.

    Raises:
        ValueError: Values cannot have this DataType.
    """
    dtype = _DTYPES.get(datatype)
    if dtype is None:
        if datatype == types_pb2.DT_INVALID or datatype >= FIRST_REFERENCE:
            raise ValueError(f"invalid dtype of a value: {datatype}")
        try:
            dtype = np.dtype(tf.as_dtype(datatype).as_numpy_dtype)
        except (KeyError, TypeError) as error:
            raise ValueError(f"invalid dtype of a value: {datatype}") from error
        _DTYPES[datatype] = dtype
    return dtype


def datatype(array: NDArray[Any]) -> int:
    """Returns the DataType of an array; objects are strings.

    Raises:
        TypeError: The array has numpy's own strings, which have lost trailing NUL bytes.
    """
    known = _DATATYPES.get(array.dtype)
    if known is None:
        if array.dtype.kind in "SU":
            raise TypeError(f"strings of dtype {array.dtype}: expected bytes of dtype object")
        known = tf.as_dtype(tf.string if array.dtype == object else array.dtype).as_datatype_enum
        _DATATYPES[array.dtype] = known
    return known


def name(datatype: int) -> str:
    """Returns the name of a DataType in TensorFlow's messages, such as `float`.

    Only INVALID is in capitals (`DataTypeString` in tensorflow/core/framework/types.cc): composite
    tensors in signatures have that dtype.
    """
    full: str = types_pb2.DataType.Name(datatype)
    short = full.removeprefix("DT_")
    return short.lower() if datatype else short


def shape_text(shape: Sequence[int]) -> str:
    """Returns a shape in TensorFlow's form: `[2,3]`."""
    return f"[{','.join(map(str, shape))}]"
