"""TensorProtos for tests."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2


def tensor_proto(dtype, shape, **fields):
    """A TensorProto of this shape, whatever values its fields hold."""
    proto = tensor_pb2.TensorProto(dtype=dtype, **fields)
    proto.tensor_shape.SetInParent()
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def strings(values, shape):
    return tensor_proto(types_pb2.DT_STRING, shape, string_val=values)


def as_content(tensor):
    """A copy of a string tensor with raw content: all lengths as varints, then all bytes."""
    content = b"".join([*map(varint, map(len, tensor.string_val)), *tensor.string_val])
    return tensor_pb2.TensorProto(
        dtype=tensor.dtype, tensor_shape=tensor.tensor_shape, tensor_content=content
    )


def varint(number):
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def read(tensor):
    """The strings of a reply, typed or raw, read by TensorFlow."""
    parsed = tf.io.parse_tensor(tensor.SerializeToString(), tf.string).numpy()
    return [parsed] if isinstance(parsed, bytes) else parsed.ravel().tolist()
