"""TensorProtos: mostly valid, with each field sometimes inconsistent with the others."""

from __future__ import annotations

import math
import struct

import tensorflow as tf
from fuzz.generators.seeded_random import SeededRandom
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
INTEGERS = {
    "int_val": (-(2**31), 2**31 - 1),
    "int64_val": (-(2**63), 2**63 - 1),
    "uint32_val": (0, 2**32 - 1),
    "uint64_val": (0, 2**64 - 1),
    "half_val": (0, 2**16 - 1),
}
FLOATS = (0.0, -0.0, 1.0, -2.5, 1e-45, 3.4028234663852886e38, math.inf, -math.inf, math.nan, 0.1)
HUGE = (2**40, 2**62, 2**63 - 1)
"""Sizes that cannot be allocated. Smaller ones would take memory on servers without a limit."""
MAX_DIMENSIONS = 254
MAX_WRITTEN = 4096
"""Maximum number of elements for which all values are written; larger tensors get one value."""


def tensor(rng: SeededRandom, dtype: int, shape: tuple[int, ...] | None) -> tensor_pb2.TensorProto:
    """Makes a tensor for an input; with a small probability it is invalid."""
    if rng.one_in(40):
        dtype = rng.choice([*FIELDS, *range(-1, 40), 101, 107])
    if shape is None or rng.one_in(30):
        shape = any_shape(rng)
    proto = tensor_pb2.TensorProto(dtype=dtype)
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    fill(rng, proto, elements(shape))
    if rng.one_in(15):
        corrupt(rng, proto)
    return proto


def any_shape(rng: SeededRandom) -> tuple[int, ...]:
    """Makes a shape, mostly small."""
    small = tuple(rng.randint(0, 4) for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3))))
    rank = rng.choice((5, 8, 9, 30, 253, MAX_DIMENSIONS, MAX_DIMENSIONS + 1, 300))
    huge = [*small, 0, *rng.some(HUGE), rng.choice(HUGE)]
    rng.shuffle(huge)
    return rng.weighted(
        {
            small: 80,
            (1,) * rank: 3,
            (2, *(1,) * (rank - 1)): 2,
            tuple(huge): 5,
            (*small, rng.choice(HUGE)): 2,
            (*small, -1): 2,
        }
    )


def elements(shape: tuple[int, ...]) -> int:
    """Returns the number of elements of a shape; 0 for invalid shapes."""
    return 0 if any(size < 0 for size in shape) else math.prod(shape)


def fill(rng: SeededRandom, proto: tensor_pb2.TensorProto, count: int) -> None:
    """Adds values: as many as the shape has elements, fewer, more or none, or as tensor_content."""
    field = FIELDS.get(proto.dtype)
    if field is None:
        return
    written = count if count <= MAX_WRITTEN else 1
    amount = rng.weighted({"all": 60, "content": 20, "fewer": 6, "more": 4, "none": 4, "wrong": 3})
    if amount == "content":
        proto.tensor_content = content(rng, proto.dtype, written)
        return
    if amount == "fewer":
        written = rng.randint(0, written)
    elif amount == "more":
        written += rng.randint(1, 3)
    elif amount == "none":
        written = 0
    elif amount == "wrong":
        field = rng.choice(sorted(set(FIELDS.values())))
    per_element = 2 if field.endswith("complex_val") else 1
    getattr(proto, field).extend(value(rng, field) for _ in range(written * per_element))


def value(rng: SeededRandom, field: str) -> object:
    if field == "string_val":
        return rng.bytes_value()
    if field == "bool_val":
        return rng.one_in(2)
    if field in INTEGERS:
        low, high = INTEGERS[field]
        edges = (0, 1, low, high, min(high, 127), min(high, 128), min(high, 300))
        return rng.choice((*edges, rng.randint(low, high), rng.randint(0, 99)))
    return rng.choice((*FLOATS, struct.unpack("f", rng.randbytes(4))[0]))


def content(rng: SeededRandom, dtype: int, count: int) -> bytes:
    """Returns random tensor_content; for strings, all lengths and then all texts."""
    if dtype == types_pb2.DT_STRING:
        texts = [rng.bytes_value() for _ in range(count)]
        return b"".join(map(varint, map(len, texts))) + b"".join(texts)
    if dtype == types_pb2.DT_BOOL:
        return bytes(rng.randrange(2) for _ in range(count))
    return rng.randbytes(tf.as_dtype(dtype).size * count)


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    return bytes([*encoded, number])


def corrupt(rng: SeededRandom, proto: tensor_pb2.TensorProto) -> None:
    """Makes one thing invalid, or only unusual."""
    match rng.randrange(6):
        case 0:
            proto.tensor_shape.unknown_rank = True
        case 1:
            proto.tensor_content += rng.randbytes(rng.randint(1, 9))
        case 2:
            proto.tensor_content = proto.tensor_content[:-1]
        case 3:
            proto.dtype = rng.choice(list(FIELDS))
        case 4:
            proto.ClearField("tensor_shape")
        case 5:
            proto.tensor_shape.dim.add(size=rng.choice((-1, 0, 1, 2, *HUGE)))
