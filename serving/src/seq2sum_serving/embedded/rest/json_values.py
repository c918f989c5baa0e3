"""JSON values to tensors' values, by dtype, with TensorFlow Serving's rules of conversion.

Any number is good for floats, which take the nearest value, or an infinity; decimals are never
good for integers; integers that fit 32 bits are good for narrower types too, which keep the lowest
bits.
"""

from __future__ import annotations

import base64
import binascii
import string
from collections.abc import Sequence
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
"""Where a tensor keeps its values, by dtype; the dtypes that JSON has no form for are missing."""

_FLOATS: dict[int, Any] = {types_pb2.DT_FLOAT: np.float32, types_pb2.DT_DOUBLE: np.float64}
"""numpy type by dtype."""

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
"""By dtype: numpy type, smallest and largest number taken."""


def is_base64(value: Any) -> bool:
    """Whether a value is an object with nothing in it but the string `b64`."""
    # An object that has the name twice is of another type.
    return type(value) is dict and len(value) == 1 and isinstance(value.get("b64"), str)


def decoded_base64(value: Any) -> bytes:
    """Returns the bytes that such an object stands for.

    As absl::Base64Unescape, which TensorFlow Serving calls: white space may be anywhere; padding,
    of `=` or `.`, has the right length or is missing; bits that are left over may be anything.

    Raises:
        ServingError: It is another object, or the text is not base64.
    """
    if not is_base64(value):
        raise _invalid(f"JSON Value: {value_text(value)} not formatted correctly for base64 data")
    try:
        text = value["b64"].encode("ascii").translate(None, string.whitespace.encode("ascii"))
        digits = text.rstrip(b"=.")
        padding = b"=" * (-len(digits) % 4)
        if len(text) not in (len(digits), len(digits) + len(padding)):
            raise binascii.Error
        return base64.b64decode(digits + padding, validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise _invalid("Unable to base64 decode") from error


def as_floats(values: Sequence[float], dtype: int) -> NDArray[Any]:
    """Returns numbers as floats of a dtype: the nearest ones, or infinities."""
    with np.errstate(over="ignore"):
        return without_subnormals(np.array(values, np.float64).astype(_FLOATS[dtype]))


def encoded(text: str) -> bytes:
    """A JSON string's bytes."""
    return text.encode("utf-8", ENCODING_ERRORS)


def add_value(tensor: tensor_pb2.TensorProto, value: Any, dtype: int) -> None:
    """Adds a value that is no list to a tensor.

    Raises:
        ServingError: The dtype does not take it.
    """
    if isinstance(value, dict):
        if dtype != _STRING:
            raise type_error(value, dtype)
        tensor.string_val.append(decoded_base64(value))
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
    getattr(tensor, FIELDS[dtype]).append(encoded(value) if dtype == _STRING else value)


def _fits(value: Any, dtype: int) -> bool:
    if dtype in _INTEGERS:
        smallest, largest = _INTEGERS[dtype][1]
        return type(value) is int and smallest <= value <= largest
    if dtype in _FLOATS:
        return type(value) in (int, float)
    return type(value) is (str if dtype == _STRING else bool)


def add_array(tensor: tensor_pb2.TensorProto, values: list[Any], dtype: int) -> bool:
    """Adds many values at once; False, and nothing added, if one of them needs a look."""
    kinds = set(map(type, values))
    if dtype == _STRING and kinds <= {str}:
        tensor.string_val.extend(map(encoded, values))
        return True
    if dtype == _BOOL and kinds <= {bool}:
        array = np.array(values, np.bool_)
    elif dtype in _FLOATS and kinds <= {int, float}:
        array = as_floats(values, dtype)
    elif dtype in _INTEGERS and kinds <= {int}:
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
    """What the parser calls a value's type."""
    if isinstance(value, bool):
        return str(value)
    names = {type(None): "Null", dict: "Object", list: "Array", str: "String"}
    return names.get(type(value), "Number")


def type_error(value: Any, dtype: int) -> ServingError:
    """A value of the wrong type."""
    return _invalid(
        f"JSON Value: {value_text(value)} Type: {json_type(value)} "
        f"is not of expected type: {datatypes.name(dtype)}"
    )


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
