"""TensorProtos and arrays: held against TensorFlow's own parser."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from seq2sum_serving.embedded import tensors
from tensorflow.core.framework import tensor_pb2, types_pb2

NUMERIC = sorted(tensors.FIELDS)


def by_tensorflow(proto):
    """What TensorFlow's C++ makes of a TensorProto, or None where it refuses."""
    try:
        parsed = tf.io.parse_tensor(proto.SerializeToString(), tf.as_dtype(proto.dtype))
    except (tf.errors.InvalidArgumentError, TypeError):
        return None
    return parsed.numpy()


def by_us(proto):
    try:
        return tensors.decode(proto)
    except ValueError:
        return None


def assert_same(found, expected):
    if expected is None:
        assert found is None
        return
    assert found is not None
    if isinstance(expected, bytes):  # a scalar string comes as what it is
        expected = np.array(expected, object)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert found.tolist() == expected.tolist() or found.tobytes() == expected.tobytes()


def proto_of(dtype, shape, **fields):
    proto = tensor_pb2.TensorProto(dtype=dtype, **fields)
    proto.tensor_shape.SetInParent()
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


@pytest.mark.parametrize("dtype", NUMERIC, ids=types_pb2.DataType.Name)
def test_every_dtype_survives_both_forms(dtype):
    array = np.array([[0, 1], [3, 2]]).astype(tf.as_dtype(dtype).as_numpy_dtype)
    typed = tensors.encode(array)
    assert not typed.tensor_content
    assert_same(tensors.decode(typed), array)
    assert_same(by_tensorflow(typed), array)
    raw = proto_of(dtype, array.shape, tensor_content=array.tobytes())
    assert_same(tensors.decode(raw), array)


@pytest.mark.parametrize("dtype", [*NUMERIC, types_pb2.DT_STRING], ids=types_pb2.DataType.Name)
def test_no_values_are_zeros_or_empty_strings(dtype):
    proto = proto_of(dtype, [3])
    assert_same(by_us(proto), by_tensorflow(proto))


@pytest.mark.parametrize(
    "proto",
    [
        proto_of(types_pb2.DT_FLOAT, [3], float_val=[1.5, 2.5]),
        proto_of(types_pb2.DT_FLOAT, [2], float_val=[1.5, 2.5, 3.5]),
        proto_of(types_pb2.DT_FLOAT, [2], int_val=[1, 2]),
        proto_of(types_pb2.DT_FLOAT, [], float_val=[7, 8]),
        proto_of(types_pb2.DT_FLOAT, [0], tensor_content=b"xyz"),
        proto_of(types_pb2.DT_FLOAT, [2], tensor_content=b"1234"),
        proto_of(types_pb2.DT_FLOAT, [1], tensor_content=b"12345678"),
        proto_of(types_pb2.DT_FLOAT, [1], tensor_content=b"1234", float_val=[9]),
        proto_of(types_pb2.DT_FLOAT, [-1], float_val=[1]),
        proto_of(types_pb2.DT_FLOAT, [2**40, 2**40]),
        proto_of(types_pb2.DT_BOOL, [2], tensor_content=b"\0\1"),
        proto_of(types_pb2.DT_BOOL, [1], tensor_content=b"\2"),
        proto_of(types_pb2.DT_UINT8, [1], int_val=[300]),
        proto_of(types_pb2.DT_INT8, [2], int_val=[-1, 200]),
        proto_of(types_pb2.DT_HALF, [1], half_val=[15360]),
        proto_of(types_pb2.DT_BFLOAT16, [1], half_val=[16256]),
        proto_of(types_pb2.DT_COMPLEX64, [2], scomplex_val=[1, 2]),
        proto_of(types_pb2.DT_STRING, [3], string_val=[b"a", b"b"]),
        proto_of(types_pb2.DT_STRING, [2], tensor_content=b"\1\2abb"),
        proto_of(types_pb2.DT_STRING, [2], tensor_content=b"\1\2abbb"),
        proto_of(types_pb2.DT_STRING, [2], tensor_content=b"\1\2a"),
        proto_of(types_pb2.DT_STRING, [2], tensor_content=b"\1"),
        proto_of(types_pb2.DT_STRING, [1], tensor_content=b"\xff" * 12),
        tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[4, 5]),
    ],
    ids=lambda proto: " ".join(str(proto).split())[:60],
)
def test_odd_tensors_are_read_as_tensorflow_reads_them(proto):
    assert_same(by_us(proto), by_tensorflow(proto))


def test_an_unknown_rank_is_a_scalar():
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[4, 5])
    proto.tensor_shape.unknown_rank = True
    assert tensors.decode(proto) == np.float32(4)


@pytest.mark.parametrize("dtype", [0, types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT, 9999])
def test_what_is_no_value_is_refused(dtype):
    with pytest.raises(ValueError, match="is not one of a value"):
        tensors.decode(tensor_pb2.TensorProto(dtype=dtype))


def test_a_short_list_cannot_claim_all_memory():
    with pytest.raises(ValueError, match=r"is too large"):
        tensors.decode(proto_of(types_pb2.DT_DOUBLE, [2**29], double_val=[1]))


def test_a_short_list_of_strings_cannot_claim_all_memory_either():
    with pytest.raises(ValueError, match=r"is too large"):
        tensors.decode(proto_of(types_pb2.DT_STRING, [2**31 - 1], string_val=[b"x"]))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    dtype=st.sampled_from([types_pb2.DT_FLOAT, types_pb2.DT_INT32, types_pb2.DT_STRING]),
    shape=st.lists(st.integers(0, 3), max_size=3),
    content=st.binary(max_size=24),
)
@example(dtype=types_pb2.DT_STRING, shape=[], content=b"\0")
def test_any_content_is_read_as_tensorflow_reads_it(dtype, shape, content):
    proto = proto_of(dtype, shape, tensor_content=content)
    assert_same(by_us(proto), by_tensorflow(proto))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("values", [[], [0], [1, 0, 127], [128], [-1, 5], [2**30, 3] * 100])
def test_what_is_handed_over_as_bytes_is_what_would_be_one_by_one(dtype, values):
    array = np.array(values, dtype)
    one_by_one = tensor_pb2.TensorProto(dtype=tf.as_dtype(dtype).as_datatype_enum)
    one_by_one.tensor_shape.dim.add(size=len(values))
    getattr(one_by_one, tensors.FIELDS[one_by_one.dtype][0]).extend(array.tolist())
    assert tensors.encode(array) == one_by_one
    assert tensors.encode(array).SerializeToString() == one_by_one.SerializeToString()
