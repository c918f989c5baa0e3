"""Converts JSON values to values of tensors, by dtype, as TensorFlow Serving does.

Floats accept any number, rounded to the nearest value or an infinity. Integers reject decimals.
Types narrower than 32 bits accept any 32-bit integer and keep its lowest bits.
"""

from __future__ import annotations

import base64
import binascii
import string
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2, types_pb2

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference import datatypes
from seq2sum_serving.embedded.rest.json_writer import (
    ENCODING_ERRORS,
    value_text,
    without_subnormals,
)

_STRING, _BOOL = types_pb2.DT_STRING, types_pb2.DT_BOOL

FIELDS: dict[int, str] = {
    types_pb2.DT_FLOAT: "float_val",
    types_pb2.DT_DOUBLE: "double_val",
    types_pb2.DT_INT32: "int_val",
    types_pb2.DT_INT16: "int_val",
    types_pb2.DT_INT8: "int_val",
    types_pb2.DT_UINT8: "int_val",
    types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_UINT32: "uint32_val",
    types_pb2.DT_UINT64: "uint64_val",
    types_pb2.DT_STRING: "string_val",
    types_pb2.DT_BOOL: "bool_val",
}
"""Field of a TensorProto with the values, by dtype; without the dtypes that JSON cannot express."""

_FLOATS: dict[int, Any] = {types_pb2.DT_FLOAT: np.float32, types_pb2.DT_DOUBLE: np.float64}
"""NumPy type by dtype."""

_INT32 = (-(2**31), 2**31 - 1)
_INTEGERS: dict[int, tuple[Any, tuple[int, int]]] = {
    types_pb2.DT_INT32: (np.int32, _INT32),
    types_pb2.DT_INT16: (np.int16, _INT32),
    types_pb2.DT_INT8: (np.int8, _INT32),
    types_pb2.DT_UINT8: (np.uint8, _INT32),
    types_pb2.DT_INT64: (np.int64, (-(2**63), 2**63 - 1)),
    types_pb2.DT_UINT32: (np.uint32, (0, 2**32 - 1)),
    types_pb2.DT_UINT64: (np.uint64, (0, 2**64 - 1)),
}
"""NumPy type, and the smallest and largest accepted number, by dtype."""


def is_base64(value: Any) -> bool:
    """Returns whether a value is an object whose only member is a string `b64`."""
    # The exact type excludes DuplicateKeysObject.
    return type(value) is dict and len(value) == 1 and isinstance(value.get("b64"), str)


def decode_base64(value: Any) -> bytes:
    """Returns the bytes of an object `{"b64": "..."}`.

    Decodes as absl::Base64Unescape, which TensorFlow Serving calls: white space is ignored;
    padding, with `=` or `.`, is complete or missing; left-over bits are ignored.

    Raises:
        ServingError: The value is another object, or the text is not base64.
    """
    if not is_base64(value):
        raise invalid(f"JSON Value: {value_text(value)} not formatted correctly for base64 data")
    try:
        text = value["b64"].encode("ascii").translate(None, string.whitespace.encode("ascii"))
        digits = text.rstrip(b"=.")
        padding = b"=" * (-len(digits) % 4)
        if len(text) not in (len(digits), len(digits) + len(padding)):
            raise binascii.Error
        return base64.b64decode(digits + padding, validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise invalid("Unable to base64 decode") from error


def as_floats(values: Sequence[float], dtype: int) -> NDArray[Any]:
    """Rounds numbers to floats of a dtype, or to infinities."""
    with np.errstate(over="ignore"):
        return without_subnormals(np.array(values, np.float64).astype(_FLOATS[dtype]))


def encode(text: str) -> bytes:
    """Returns the bytes of a JSON string."""
    return text.encode("utf-8", ENCODING_ERRORS)


def add_value(tensor: tensor_pb2.TensorProto, value: Any, dtype: int) -> None:
    """Adds a value other than a list to a tensor.

    Raises:
        ServingError: The value does not fit the dtype.
    """
    if isinstance(value, dict):
        if dtype != _STRING:
            raise type_error(value, dtype)
        tensor.string_val.append(decode_base64(value))
        return
    if dtype not in FIELDS:
        raise ServingError(
            Code.UNIMPLEMENTED,
            f"Conversion of JSON Value: {value_text(value)} to type: {datatypes.name(dtype)}",
        )
    if not _fits(value, dtype):
        raise type_error(value, dtype)
    if dtype in _FLOATS:
        value = as_floats([value], dtype)[0]
    getattr(tensor, FIELDS[dtype]).append(encode(value) if dtype == _STRING else value)


def _fits(value: Any, dtype: int) -> bool:
    if dtype in _INTEGERS:
        smallest, largest = _INTEGERS[dtype][1]
        return type(value) is int and smallest <= value <= largest
    if dtype in _FLOATS:
        return type(value) in (int, float)
    return type(value) is (str if dtype == _STRING else bool)


def add_array(tensor: tensor_pb2.TensorProto, values: list[Any], dtype: int) -> bool:
    """Adds values as one array; returns False, with none added, if a value does not fit."""
    types = set(map(type, values))
    if dtype == _STRING and types <= {str}:
        tensor.string_val.extend(map(encode, values))
        return True
    if dtype == _BOOL and types <= {bool}:
        array = np.array(values, np.bool_)
    elif dtype in _FLOATS and types <= {int, float}:
        array = as_floats(values, dtype)
    elif dtype in _INTEGERS and types <= {int}:
        numpy_type, (smallest, largest_integer) = _INTEGERS[dtype]
        if values and not (smallest <= min(values) and max(values) <= largest_integer):
            return False
        wide = np.uint64 if smallest == 0 else np.int64
        array = np.array(values, wide).astype(numpy_type)
    else:
        return False
    tensor.tensor_content = array.tobytes()
    return True


def json_type(value: Any) -> str:
    """Returns the name of a value's type for error messages."""
    if isinstance(value, bool):
        return str(value)
    names = {type(None): "Null", dict: "Object", list: "Array", str: "String"}
    return names.get(type(value), "Number")


def type_error(value: Any, dtype: int) -> ServingError:
    """Makes the error for a value of the wrong type."""
    return invalid(
        f"JSON Value: {value_text(value)} Type: {json_type(value)} "
        f"is not of expected type: {datatypes.name(dtype)}"
    )


def invalid(message: str) -> ServingError:
    """Makes an INVALID_ARGUMENT error."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def invalid_document(document: Mapping[str, Any], problem: str) -> ServingError:
    """Makes the error for a body whose keys are wrong; it repeats the start of the body."""
    return invalid(f"JSON Value: {value_text(document)} {problem}")
