"""TensorProtos and arrays: held against TensorFlow's own parser."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from seq2sum_serving.embedded.inference import datatypes, tensors
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import config_pb2

NUMERIC = sorted(tensors.FIELDS)
RARE = sorted(set(datatypes.QUANTIZED) | {23 + number for number in range(1, 11)})
"""Quantized numbers, and those of eight bits and less; DT_FLOAT8_E5M2 is 24."""


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


def unknown_rank(proto):
    proto.tensor_shape.unknown_rank = True
    return proto


@pytest.mark.parametrize("text", [b"a\0", "a"])
def test_encode_refuses_numpy_strings_of_fixed_width(text):
    with pytest.raises(TypeError, match="expected bytes of dtype object"):
        tensors.encode(np.array([text]))


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
        unknown_rank(proto_of(types_pb2.DT_FLOAT, [], float_val=[4, 5])),
        unknown_rank(proto_of(types_pb2.DT_FLOAT, [3], float_val=[5])),
        unknown_rank(proto_of(types_pb2.DT_UINT64, [0])),
        unknown_rank(proto_of(types_pb2.DT_STRING, [2, 1], string_val=[b"a", b"b"])),
        unknown_rank(proto_of(types_pb2.DT_BFLOAT16, [4], tensor_content=b"12345678")),
        unknown_rank(proto_of(types_pb2.DT_FLOAT, [-1], float_val=[1])),
        unknown_rank(proto_of(types_pb2.DT_FLOAT, [2**62, 2**62])),
        unknown_rank(proto_of(types_pb2.DT_FLOAT, [1] * 255)),
    ],
    ids=lambda proto: " ".join(str(proto).split())[:60],
)
def test_odd_tensors_are_read_as_tensorflow_reads_them(proto):
    assert_same(by_us(proto), by_tensorflow(proto))


SIGNALLING_NANS = {
    types_pb2.DT_FLOAT: "360b827f010080ff",
    types_pb2.DT_COMPLEX64: "360b827f010080ff",
    types_pb2.DT_DOUBLE: "360b82000000f07f",
    types_pb2.DT_HALF: "017d01fd",
    types_pb2.DT_BFLOAT16: "817f81ff",
}
"""Content in hexadecimal, by dtype."""


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("dtype", SIGNALLING_NANS)
def test_signalling_nans_keep_their_bits(dtype, count):
    content = bytes.fromhex(SIGNALLING_NANS[dtype]) * count
    size = len(content) // tensors.numpy_dtype(dtype).itemsize
    array = tensors.decode(proto_of(dtype, [size], tensor_content=content))
    typed = tensors.encode(array)
    assert not typed.tensor_content
    assert by_tensorflow(typed).tobytes() == content
    assert tensors.decode(typed).tobytes() == content


def test_a_signalling_nan_is_repeated_bit_by_bit():
    typed = tensors.encode(np.frombuffer(bytes.fromhex("0000803f360b827f"), np.float32))
    typed.tensor_shape.dim[0].size = 4
    assert_same(by_us(typed), by_tensorflow(typed))


@pytest.mark.parametrize("dtype", [types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT])
def test_decode_keeps_dtype_and_shape_of_what_has_no_values(dtype):
    array = tensors.decode(proto_of(dtype, [2, 3]))
    assert datatypes.datatype(array) == dtype
    assert array.shape == (2, 3)
    with pytest.raises(ValueError, match="too large"):
        tensors.decode(proto_of(dtype, [2**30]))


@pytest.mark.parametrize(
    "shape",
    [
        [1] * 64,
        [1] * 65,
        [1] * 253 + [2],
        [0] * 254,
    ],
)
def test_shapes_that_numpy_cannot_represent_survive(shape):
    count = np.prod(shape) if len(shape) > 3 else 0
    for proto in (
        proto_of(types_pb2.DT_FLOAT, shape, float_val=[1.5] * count),
        proto_of(types_pb2.DT_STRING, shape, string_val=[b"a\0"] * count),
        proto_of(types_pb2.DT_QINT8, shape, tensor_content=b"\7" * count),
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
def test_shapes_that_tensorflow_does_not_have_are_refused(shape, dtype):
    with pytest.raises(ValueError, match="shape"):
        tensors.decode(proto_of(dtype, shape))


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
        tensors.decode(proto_of(dtype, shape))


@pytest.mark.parametrize("shape", [[0, 2**26], [2**13, 0, 2**13]])
def test_decode_takes_empty_tensors_of_up_to_256_mib(shape):
    assert tensors.decode(proto_of(types_pb2.DT_FLOAT, shape)).shape == tuple(shape)


@pytest.mark.parametrize("dtype", [0, types_pb2.DT_FLOAT_REF, 9999])
def test_what_is_no_value_is_refused(dtype):
    with pytest.raises(ValueError, match="is not one of a value"):
        tensors.decode(tensor_pb2.TensorProto(dtype=dtype))


@pytest.mark.parametrize(
    "proto",
    [
        proto_of(types_pb2.DT_DOUBLE, [2**29], double_val=[1]),
        proto_of(types_pb2.DT_STRING, [2**31 - 1], string_val=[b"x"]),
        proto_of(types_pb2.DT_QINT8, [2**31 - 1], int_val=[1]),
        proto_of(types_pb2.DT_STRING, [2**26], tensor_content=b"\0" * 9),
    ],
    ids=["numbers", "strings", "quantized", "content"],
)
def test_a_short_message_cannot_claim_all_memory(proto):
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"is too large|cut off"):
        tensors.decode(proto)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2**20


@pytest.mark.parametrize("dtype", RARE, ids=types_pb2.DataType.Name)
def test_rare_dtypes_go_through_a_session_and_back(dtype):
    proto = proto_of(dtype, [3])
    if "FLOAT" in types_pb2.DataType.Name(dtype):
        proto.float8_val = b"\x01\x02\x03"
    else:
        proto.int_val.extend([1, 0, 1])
    array = tensors.decode(proto)
    with tf.Graph().as_default() as graph:
        fed = tf.compat.v1.placeholder(tf.as_dtype(dtype), [None])
        same = tf.identity(fed)
    options = config_pb2.CallableOptions(feed=[fed.name], fetch=[same.name])
    with tf.compat.v1.Session(graph=graph) as session:
        [fetched] = session._make_callable_from_options(options)(array)
    written = tensor_pb2.TensorProto()
    tensors.write(fetched, written, dtype=dtype)
    assert written == proto


@pytest.mark.parametrize("dtype", NUMERIC, ids=types_pb2.DataType.Name)
@pytest.mark.parametrize("shape", [[], [0], [2, 2], [1]])
def test_raw_content_is_what_tensorflow_writes(dtype, shape):
    values = np.arange(int(np.prod(shape))).reshape(shape)
    array = values.astype(datatypes.numpy_dtype(dtype))
    written = tensor_pb2.TensorProto()
    tensors.write(array, written, as_content=True)
    by_tensorflow = tf.io.serialize_tensor(tf.constant(array, tf.as_dtype(dtype))).numpy()
    assert written == tensor_pb2.TensorProto.FromString(by_tensorflow)


@pytest.mark.parametrize("texts", [[], [b""], [b"a" * 300, b"", b"\xff"]])
def test_raw_strings_are_read_by_tensorflow(texts):
    array = np.array(texts, object)
    written = tensor_pb2.TensorProto()
    tensors.write(array, written, as_content=True)
    assert not written.string_val
    assert_same(by_tensorflow(written), array)


@st.composite
def any_tensor(draw):
    """A TensorProto of anything, some of it likely to fit together."""
    proto = tensor_pb2.TensorProto(dtype=draw(st.integers(-1, 40) | st.sampled_from([101, 9999])))
    proto.tensor_shape.unknown_rank = draw(st.booleans())
    sizes = st.integers(-1, 4) | st.sampled_from([2**31, 2**62, -(2**63)])
    for size in draw(st.lists(sizes, max_size=3)):
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_content = draw(st.binary(max_size=40))
    proto.float8_val = draw(st.binary(max_size=4))
    numbers = st.lists(st.integers(0, 2**31 - 1), max_size=4)
    for field in ("float_val", "int_val", "int64_val", "half_val", "dcomplex_val", "uint64_val"):
        getattr(proto, field).extend(draw(numbers))
    proto.string_val.extend(draw(st.lists(st.binary(max_size=4), max_size=4)))
    return proto


@settings(max_examples=500, deadline=None, derandomize=True)
@given(proto=any_tensor())
def test_any_tensor_is_an_array_or_refused(proto):
    try:
        array = tensors.decode(proto)
    except ValueError:
        return
    assert datatypes.numpy_dtype(proto.dtype) == array.dtype
    assert array.shape == tuple(dim.size for dim in proto.tensor_shape.dim)


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
