"""Reading TensorProtos of any supported dtype.

Servers send values as raw bytes in `tensor_content`, or in the repeated field of their dtype, where
the last value of a short list stands for all further ones, and an empty list for zeros
(tensorflow/core/framework/tensor.cc, `FromProtoField`).
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Sequence
from typing import Any

from seq2sum._dtypes import BY_NUMBER, DTYPES, MAX_RANK, STRING, DType
from seq2sum._errors import UnexpectedResponse
from seq2sum._tensor import Tensor
from seq2sum._tensors import MAX_VALUES
from seq2sum.protocol import tensor_pb2

ARRAY_CODES = {
    dtype.name: "H" if dtype.field == "half_val" else dtype.code.replace("?", "B")
    for dtype in DTYPES.values()
}
"""Codes in `array` of the values in repeated fields, by dtype; of a half, its bits."""


def tensor(proto: tensor_pb2.TensorProto, name: str) -> Tensor:
    """Returns the content of a TensorProto.

    Args:
        proto: A tensor of any supported dtype.
        name: The output's name, for error messages.

    Raises:
        UnexpectedResponse: Its dtype is not supported, its shape is not valid, its values do not
            fit its shape or dtype, or filling a short list would take much memory.
    """
    dtype = BY_NUMBER.get(proto.dtype)
    if dtype is None:
        names = {number: text for text, number in tensor_pb2.DataType.items()}
        found = names.get(proto.dtype, f"DataType {proto.dtype}")
        raise UnexpectedResponse(f"output {name!r} has the dtype {found}, which is not supported")
    dims = proto.tensor_shape.dim
    if len(dims) == 1 and dims[0].size > 0 and not proto.tensor_shape.unknown_rank:
        count = dims[0].size  # the most frequent case, which costs least
        shape: tuple[int, ...] = (count,)
    else:
        shape = _shape(proto.tensor_shape, name)
        count = math.prod(shape)
    content: bytes | tuple[bytes, ...]
    if dtype.name == STRING:
        content = _strings(proto.string_val, count, name)
    else:
        content = proto.tensor_content
        if not content and count:
            content = _packed(dtype, getattr(proto, dtype.field), count, name)
        elif len(content) != count * dtype.size:
            raise UnexpectedResponse(
                f"output {name!r} has {len(content)} bytes of content for {count} values"
            )
    return Tensor(dtype.name, shape, content)


def _shape(found: tensor_pb2.TensorShapeProto, name: str) -> tuple[int, ...]:
    shape = tuple([dim.size for dim in found.dim])
    if found.unknown_rank or len(shape) > MAX_RANK or min(shape, default=0) < 0:
        shown = "an unknown rank" if found.unknown_rank else f"{list(shape[:MAX_RANK])}"
        raise UnexpectedResponse(f"output {name!r} has an invalid shape: {shown}")
    if 0 in shape and math.prod(size or 1 for size in shape) > MAX_VALUES:
        # Its nested lists would take memory, although they are empty.
        raise UnexpectedResponse(f"output {name!r} has no values, and the shape {list(shape)}")
    return shape


def _packed(dtype: DType, values: Sequence[Any], count: int, name: str) -> bytes:
    """Returns the bytes of values that are in the repeated field of their dtype."""
    parts = 2 if dtype.kind == "c" else 1
    try:
        listed = array(ARRAY_CODES[dtype.name], values[: count * parts])
    except OverflowError as error:
        raise UnexpectedResponse(
            f"output {name!r} has a value that does not fit {dtype.name}: {error}"
        ) from error
    if len(listed) % parts:
        raise UnexpectedResponse(f"output {name!r} has a real part without its imaginary part")
    if sys.byteorder == "big":
        listed.byteswap()
    content = listed.tobytes()
    if len(listed) == count * parts:
        return content
    missing = _missing(len(listed) // parts, count, name)
    return content + (content[-dtype.size :] or bytes(dtype.size)) * missing


def _strings(values: Sequence[bytes], count: int, name: str) -> tuple[bytes, ...]:
    known = tuple(values[:count])
    if len(known) == count:
        return known
    return known + (known[-1:] or (b"",)) * _missing(len(known), count, name)


def _missing(known: int, count: int, name: str) -> int:
    """Returns how many values the last one of a list stands for."""
    if known < count and count > MAX_VALUES:
        raise UnexpectedResponse(
            f"output {name!r} has a shape of {count} values, and only {known} values: "
            f"expected all of them, or at most {MAX_VALUES}"
        )
    return count - known
