"""Writing TensorProtos of any supported dtype, from Python's values and from arrays.

Conversions keep the meaning of a value: integers become floats or complex numbers, floats become
complex numbers or floats of another precision, and nothing else changes its kind. A number that the
dtype cannot hold is an error.
"""

from __future__ import annotations

import math
import operator
import struct
from typing import Any

from seq2sum import _arrays
from seq2sum._arrays import Array
from seq2sum._dtypes import DTYPES, NARROW, STRING, DType, shape_text
from seq2sum._narrow_floats import narrowed
from seq2sum._nested_lists import InvalidValue, flatten, read_array, shown
from seq2sum._tensor import Tensor, unpacked
from seq2sum._versions import TensorSpec
from seq2sum.protocol import tensor_pb2

CONVERSIONS = {"i": "iufc", "u": "iufc", "f": "fc", "c": "c", "b": "b"}
"""The kinds of dtypes that an array's values may become, by its kind."""
NUMBERS: dict[str, set[type]] = {
    "i": {int}, "u": {int}, "f": {int, float}, "c": {int, float, complex},
}  # fmt: skip
"""The types of scalars that need no conversion, by the dtype's kind."""
CODES = {
    ("i", 1): "b", ("i", 2): "h", ("i", 4): "i", ("i", 8): "q",
    ("u", 1): "B", ("u", 2): "H", ("u", 4): "I", ("u", 8): "Q",
    ("f", 2): "e", ("f", 4): "f", ("f", 8): "d",
    ("c", 8): "f", ("c", 16): "d",
}  # fmt: skip
"""Codes in `struct` of the values of arrays, by kind and size."""
LARGEST = {"DT_HALF": 65504.0, "DT_FLOAT": 3.4028234663852886e38, "DT_DOUBLE": math.inf}
"""The largest finite numbers; those that are rounded to them are not converted by numpy."""
BUFFERS = bytearray, memoryview
"""Types that are strings for a string tensor."""
TOO_LARGE = "a number that is too large for it"


def fill(proto: tensor_pb2.TensorProto, value: Any, spec: TensorSpec) -> None:
    """Makes an empty TensorProto a tensor of this dtype and shape, in place.

    Args:
        proto: The tensor to fill.
        value: A scalar, a list of any depth, a `Tensor`, or an array.
        spec: The dtype and the shape that it must have.

    Raises:
        InvalidValue: The value has another type or shape, or does not fit the dtype. The text
            states what is wanted and what was given.
    """
    dtype = DTYPES.get(spec.dtype)
    if dtype is None:
        raise InvalidValue(f"the dtype {spec.dtype} is not supported")
    try:
        shape, content = _converted(value, dtype, spec.shape)
    except InvalidValue as error:
        shape_wanted = "any shape" if spec.shape is None else f"shape {shape_text(spec.shape)}"
        wanted = f"{spec.dtype} of {shape_wanted}"
        raise InvalidValue(f"expected {wanted}, not {error}") from error
    proto.dtype = dtype.number  # type: ignore[assignment]  # the enum's values are plain integers
    proto.tensor_shape.SetInParent()
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    if isinstance(content, bytes):
        proto.tensor_content = content
    else:
        proto.string_val.extend(content)


def _converted(
    value: Any, dtype: DType, wanted: tuple[int, ...] | None
) -> tuple[tuple[int, ...], bytes | list[bytes]]:
    if isinstance(value, Tensor):
        value = _array_of(value)
    elif dtype.name == STRING and isinstance(value, BUFFERS):
        value = bytes(value)
    array = None if type(value) is list else _array(value)
    if array is None:
        given, values = flatten(value, strings=dtype.name == STRING)
        shape = given
        if not values and wanted is not None:  # empty lists do not show the sizes of their rows
            shape += tuple(max(size, 0) for size in wanted[len(shape) :])
    else:
        given, values = array.shape, []
        shape = given
    if wanted is not None and (
        len(shape) != len(wanted)
        or [size for size, found in zip(wanted, shape, strict=True) if size not in (-1, found)]
    ):
        of = f"an array of {array.type_name}" if array else _type_names(values)
        hint = "; write a list of one value" if not given and len(wanted) == 1 else ""
        raise InvalidValue(f"{of} of shape {shape_text(given)}{hint}")
    return shape, _packed(dtype, values) if array is None else _packed_array(dtype, array)


def _array(value: Any) -> Array | None:
    return value if isinstance(value, Array) else read_array(value)


def _array_of(tensor: Tensor) -> Any:
    """Returns a numeric tensor as an array, and one of strings as nested lists."""
    if isinstance(tensor.content, tuple):
        return tensor.tolist()
    dtype = DTYPES[tensor.dtype]
    kind = dtype.name if dtype.narrow else dtype.kind
    return Array(kind, dtype.size, tensor.shape, tensor.content, tensor)


def _packed_array(dtype: DType, array: Array) -> bytes | list[bytes]:
    if dtype.name == STRING and array.kind in (*_arrays.TEXTS, _arrays.OBJECTS):
        return _strings(flatten(array.tolist())[1])
    if array.kind == _arrays.OBJECTS:
        raise InvalidValue("an object array; convert it to an array of numbers")
    if array.kind in NARROW:
        if dtype.name == array.kind:
            return array.content
        if dtype.kind in "fc":
            return _numbers(dtype, unpacked(array.kind, array.content))
    elif dtype.kind in CONVERSIONS.get(array.kind, ""):
        whole = dtype.kind not in "iu" or dtype.bits == 8 * dtype.size
        same = (dtype.kind, dtype.size) == (array.kind, array.size) and not dtype.narrow
        if same and whole:
            return array.content
        if (content := _cast(dtype, array)) is not None:
            return content
        size = array.size // (2 if array.kind == "c" else 1)
        code = CODES[array.kind, array.size]
        values: list[Any] = list(
            struct.unpack(f"<{len(array.content) // size}{code}", array.content)
        )
        if array.kind == "c":
            values = list(map(complex, values[::2], values[1::2]))
        return _numbers(dtype, values)
    raise InvalidValue(f"an array of {array.type_name}")


def _cast(dtype: DType, array: Array) -> bytes | None:
    """Returns numpy's own conversion; None where it does not apply, or could lose a number."""
    source = array.source
    if not hasattr(source, "astype") or dtype.narrow or dtype.kind == "c":
        return None
    if array.kind in "iu":
        most = LARGEST.get(dtype.name, 0.0)
        limits = dtype.limits if dtype.kind in "iu" else (-most, most)
        if not source.size or source.min() < limits[0] or source.max() > limits[1]:
            return None
    elif array.size > dtype.size:
        sizes = abs(source)
        if ((sizes > LARGEST[dtype.name]) & (sizes != math.inf)).any():
            return None
    content: bytes = source.astype(dtype.typestr).tobytes()
    return content


def _packed(dtype: DType, values: list[Any]) -> bytes | list[bytes]:
    """Returns scalars as the content of a tensor."""
    if dtype.kind == "s":
        return _strings(values)
    kinds = set(map(type, values))
    if dtype.kind == "b":
        if not kinds <= {bool}:
            raise InvalidValue(_type_names(values, besides=bool))
        return bytes(values)
    if not kinds <= NUMBERS[dtype.kind]:
        values = [_number(dtype.kind, value) for value in values]
    return _numbers(dtype, values)


def _strings(values: list[Any]) -> list[bytes]:
    kinds = set(map(type, values))
    if kinds <= {bytes}:
        return values
    if not kinds <= {str, bytes}:
        for value in values:
            if not isinstance(value, str | bytes):
                raise InvalidValue(f"{shown(value)} of type {type(value).__name__}")
    try:
        return [each.encode() if isinstance(each, str) else each for each in values]
    except UnicodeEncodeError as error:
        raise InvalidValue(
            f"{shown(error.object)}: it cannot be encoded as UTF-8; give bytes instead"
        ) from error


def _number(kind: str, value: Any) -> Any:
    """Returns a value of another type than Python's numbers as one of them."""
    if not isinstance(value, bool | str | bytes):
        if isinstance(value, int) or hasattr(value, "__index__"):
            return operator.index(value)
        if kind in "fc" and (isinstance(value, float) or hasattr(value, "__float__")):
            return float(value)
        if kind == "c" and isinstance(value, complex):
            return value
    raise InvalidValue(f"{shown(value)} of type {type(value).__name__}")


def _numbers(dtype: DType, values: list[Any]) -> bytes:
    """Returns the bytes of numbers that are of the dtype's kind, or integers."""
    if dtype.kind in "iu":
        least, most = dtype.limits
        if values and not (least <= min(values) and max(values) <= most):
            bad = next(value for value in values if not least <= value <= most)
            raise InvalidValue(f"{shown(bad)}: its range is {least} to {most}")
    try:
        if dtype.kind == "c":
            values = [part for value in map(complex, values) for part in (value.real, value.imag)]
        if dtype.narrow:
            return narrowed(dtype.name, values)
        return struct.pack(f"<{len(values)}{dtype.code}", *values)
    except (OverflowError, struct.error) as error:  # the latter for integers that fit no float
        raise InvalidValue(TOO_LARGE) from error


def _type_names(values: list[Any], *, besides: type | None = None) -> str:
    """Returns the types of scalars, for error messages."""
    names = {type(value).__name__ for value in values if type(value) is not besides}
    return f"values of type {' and '.join(sorted(names))}" if names else "an empty list"
