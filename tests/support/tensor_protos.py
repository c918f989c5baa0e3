"""TensorProtos for tests."""

from __future__ import annotations

from tensorflow.core.framework import tensor_pb2


def tensor_proto(dtype, shape, **fields):
    """A TensorProto of this shape, whatever values its fields hold."""
    proto = tensor_pb2.TensorProto(dtype=dtype, **fields)
    proto.tensor_shape.SetInParent()
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto
