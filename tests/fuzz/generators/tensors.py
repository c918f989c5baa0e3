"""TensorProtos: mostly right, with every field now and then at odds with the others."""

from __future__ import annotations

import math
import struct

from fuzz.generators.chance import Chance
from tensorflow.core.framework import tensor_pb2, types_pb2

FIELDS = {
    types_pb2.DT_FLOAT: "float_val",
    types_pb2.DT_DOUBLE: "double_val",
    types_pb2.DT_INT32: "int_val",
    types_pb2.DT_UINT8: "int_val",
    types_pb2.DT_INT16: "int_val",
    types_pb2.DT_INT8: "int_val",
    types_pb2.DT_UINT16: "int_val",
    types_pb2.DT_STRING: "string_val",
    types_pb2.DT_COMPLEX64: "scomplex_val",
    types_pb2.DT_COMPLEX128: "dcomplex_val",
    types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_BOOL: "bool_val",
    types_pb2.DT_HALF: "half_val",
    types_pb2.DT_BFLOAT16: "half_val",
    types_pb2.DT_UINT32: "uint32_val",
    types_pb2.DT_UINT64: "uint64_val",
}
WIDTHS = {
    types_pb2.DT_FLOAT: "f",
    types_pb2.DT_DOUBLE: "d",
    types_pb2.DT_INT32: "i",
    types_pb2.DT_UINT8: "B",
    types_pb2.DT_INT16: "h",
    types_pb2.DT_INT8: "b",
    types_pb2.DT_UINT16: "H",
    types_pb2.DT_COMPLEX64: "ff",
    types_pb2.DT_COMPLEX128: "dd",
    types_pb2.DT_INT64: "q",
    types_pb2.DT_BOOL: "?",
    types_pb2.DT_HALF: "H",
    types_pb2.DT_BFLOAT16: "H",
    types_pb2.DT_UINT32: "I",
    types_pb2.DT_UINT64: "Q",
}
"""How `struct` writes one element."""
INTEGERS = {
    "int_val": (-(2**31), 2**31 - 1),
    "int64_val": (-(2**63), 2**63 - 1),
    "uint32_val": (0, 2**32 - 1),
    "uint64_val": (0, 2**64 - 1),
    "half_val": (0, 2**16 - 1),
}
FLOATS = (0.0, -0.0, 1.0, -2.5, 1e-45, 3.4028234663852886e38, math.inf, -math.inf, math.nan, 0.1)
HUGE = (2**40, 2**62, 2**63 - 1)
"""Sizes that nobody can allocate. Sizes between cost memory on servers without a limit."""
MOST_DIMENSIONS = 254
SMALL = 4096
"""Elements up to which values are written out."""


def tensor(chance: Chance, dtype: int, shape: tuple[int, ...] | None) -> tensor_pb2.TensorProto:
    """A tensor for an input; with a small chance it is broken somewhere."""
    if chance.one_in(40):
        dtype = chance.choice([*FIELDS, *range(-1, 40), 101, 107])
    if shape is None or chance.one_in(30):
        shape = any_shape(chance)
    proto = tensor_pb2.TensorProto(dtype=dtype)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    fill(chance, proto, elements(shape))
    if chance.one_in(15):
        spoil(chance, proto)
    return proto


def any_shape(chance: Chance) -> tuple[int, ...]:
    small = tuple(chance.randint(0, 4) for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3))))
    rank = chance.choice((5, 8, 9, 30, 253, MOST_DIMENSIONS, MOST_DIMENSIONS + 1, 300))
    huge = [*small, 0, *chance.some(HUGE), chance.choice(HUGE)]
    chance.shuffle(huge)
    return chance.weighted(
        {
            small: 80,
            (1,) * rank: 3,
            (2, *(1,) * (rank - 1)): 2,
            tuple(huge): 5,
            (*small, chance.choice(HUGE)): 2,
            (*small, -1): 2,
        }
    )


def elements(shape: tuple[int, ...]) -> int:
    """How many elements a shape has; 0 for shapes that are not valid."""
    return 0 if any(size < 0 for size in shape) else math.prod(shape)


def fill(chance: Chance, proto: tensor_pb2.TensorProto, count: int) -> None:
    """Gives it values: as many as it has elements, fewer, more, none, or as content."""
    field = FIELDS.get(proto.dtype)
    if field is None:
        return
    written = count if count <= SMALL else 1
    how = chance.weighted({"all": 60, "content": 20, "fewer": 6, "more": 4, "none": 4, "wrong": 3})
    if how == "content":
        proto.tensor_content = content(chance, proto.dtype, written)
        return
    if how == "fewer":
        written = chance.randint(0, written)
    elif how == "more":
        written += chance.randint(1, 3)
    elif how == "none":
        written = 0
    elif how == "wrong":
        field = chance.choice(sorted(set(FIELDS.values())))
    pairs = 2 if field.endswith("complex_val") else 1
    getattr(proto, field).extend(value(chance, field) for _ in range(written * pairs))


def value(chance: Chance, field: str) -> object:
    if field == "string_val":
        return chance.bytes_value()
    if field == "bool_val":
        return chance.one_in(2)
    if field in INTEGERS:
        low, high = INTEGERS[field]
        edges = (0, 1, low, high, min(high, 127), min(high, 128), min(high, 300))
        return chance.choice((*edges, chance.randint(low, high), chance.randint(0, 99)))
    return chance.choice((*FLOATS, struct.unpack("f", chance.randbytes(4))[0]))


def content(chance: Chance, dtype: int, count: int) -> bytes:
    """The same values as bytes; strings as their lengths and then all of them."""
    if dtype == types_pb2.DT_STRING:
        texts = [chance.bytes_value() for _ in range(count)]
        return b"".join(map(varint, map(len, texts))) + b"".join(texts)
    if dtype == types_pb2.DT_BOOL:
        return bytes(chance.randrange(2) for _ in range(count))
    return chance.randbytes(struct.calcsize(f"={WIDTHS[dtype]}") * count)


def varint(number: int) -> bytes:
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    return bytes([*written, number])


def spoil(chance: Chance, proto: tensor_pb2.TensorProto) -> None:
    """One thing that is wrong, or only unusual."""
    match chance.randrange(6):
        case 0:
            proto.tensor_shape.unknown_rank = True
        case 1:
            proto.tensor_content += chance.randbytes(chance.randint(1, 9))
        case 2:
            proto.tensor_content = proto.tensor_content[:-1]
        case 3:
            proto.dtype = chance.choice(list(FIELDS))
        case 4:
            proto.ClearField("tensor_shape")
        case 5:
            proto.tensor_shape.dim.add(size=chance.choice((-1, 0, 1, 2, *HUGE)))
