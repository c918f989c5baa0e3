"""Shapes of tensors: those that numpy cannot represent, invalid ones, and limits of size."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from seq2sum_serving.embedded.inference import datatypes, tensors
from support.tensor_protos import tensor_proto
from tensorflow.core.framework import tensor_pb2, types_pb2

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("dtype", [types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT])
def test_decode_keeps_dtype_and_shape_of_resources_and_variants(dtype):
    array = tensors.decode(tensor_proto(dtype, [2, 3]))
    assert datatypes.datatype(array) == dtype
    assert array.shape == (2, 3)
    with pytest.raises(ValueError, match="too large"):
        tensors.decode(tensor_proto(dtype, [2**30]))


@pytest.mark.parametrize(
    "shape",
    [[1] * 64, [1] * 65, [1] * 253 + [2], [0] * 254],
)
def test_shapes_of_any_rank_survive_decode_and_encode(shape):
    count = int(np.prod(shape))
    for proto in (
        tensor_proto(types_pb2.DT_FLOAT, shape, float_val=[1.5] * count),
        tensor_proto(types_pb2.DT_STRING, shape, string_val=[b"a\0"] * count),
        tensor_proto(types_pb2.DT_QINT8, shape, tensor_content=b"\7" * count),
    ):
        array = tensors.decode(proto)
        assert array.ndim == len(shape)
        assert array.shape == tuple(shape)
        assert len(array) == shape[0]
        again = tensors.encode(array)
        assert again.tensor_shape == proto.tensor_shape
        assert tensors.decode(again).ravel().tolist() == array.ravel().tolist()


@pytest.mark.parametrize("shape", [[1] * 255, [0] * 255, [2**62, 2]])
@pytest.mark.parametrize("dtype", [types_pb2.DT_FLOAT, types_pb2.DT_STRING, types_pb2.DT_VARIANT])
def test_decode_refuses_shapes_that_tensorflow_refuses(shape, dtype):
    with pytest.raises(ValueError, match="shape"):
        tensors.decode(tensor_proto(dtype, shape))


@pytest.mark.parametrize(
    "shape",
    [
        [0, 4, 2**40, 2**63 - 1],  # aborts a sum over the first dimension
        [2**62, 0],  # aborts a concatenation with itself
        [2**40, 0, 2**40],
        [0, 2**26 + 1],
    ],
)
@pytest.mark.parametrize("dtype", [types_pb2.DT_FLOAT, types_pb2.DT_STRING, types_pb2.DT_VARIANT])
def test_decode_refuses_large_sizes_next_to_a_zero(shape, dtype):
    with pytest.raises(ValueError, match="is too large"):
        tensors.decode(tensor_proto(dtype, shape))


@pytest.mark.parametrize("shape", [[0, 2**26], [2**13, 0, 2**13]])
def test_decode_takes_empty_tensors_of_up_to_256_mib(shape):
    assert tensors.decode(tensor_proto(types_pb2.DT_FLOAT, shape)).shape == tuple(shape)


@pytest.mark.parametrize("dtype", [0, types_pb2.DT_FLOAT_REF, 9999])
def test_decode_refuses_dtypes_without_values(dtype):
    with pytest.raises(ValueError, match="invalid dtype of a value"):
        tensors.decode(tensor_pb2.TensorProto(dtype=dtype))


@pytest.mark.parametrize(
    "proto",
    [
        tensor_proto(types_pb2.DT_DOUBLE, [2**29], double_val=[1]),
        tensor_proto(types_pb2.DT_STRING, [2**31 - 1], string_val=[b"x"]),
        tensor_proto(types_pb2.DT_QINT8, [2**31 - 1], int_val=[1]),
        tensor_proto(types_pb2.DT_STRING, [2**26], tensor_content=b"\0" * 9),
    ],
    ids=["numbers", "strings", "quantized", "content"],
)
def test_a_short_message_does_not_allocate_a_large_tensor(proto):
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"is too large|truncated"):
        tensors.decode(proto)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
