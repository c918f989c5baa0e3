"""Conversion of TensorProtos and arrays, compared with TensorFlow's own parser."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from seq2sum_serving.embedded.inference import datatypes, tensors
from support.tensor_protos import tensor_proto
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import config_pb2

pytestmark = pytest.mark.tensorflow

NUMERIC = sorted(tensors.FIELDS)
RARE = sorted(set(datatypes.QUANTIZED) | {23 + number for number in range(1, 11)})
"""Quantized dtypes, and those of eight bits and less; DT_FLOAT8_E5M2 is 24."""


def by_tensorflow(proto):
    """The array of a TensorProto by TensorFlow's C++ parser, or None if it refuses."""
    try:
        parsed = tf.io.parse_tensor(proto.SerializeToString(), tf.as_dtype(proto.dtype))
    except (tf.errors.InvalidArgumentError, TypeError):
        return None
    return parsed.numpy()


def decoded(proto):
    """The array of a TensorProto by our parser, or None if it refuses."""
    try:
        return tensors.decode(proto)
    except ValueError:
        return None


def assert_same(array, expected):
    if expected is None:
        assert array is None
        return
    assert array is not None
    if isinstance(expected, bytes):  # TensorFlow returns a scalar string as bytes
        expected = np.array(expected, object)
    assert array.shape == expected.shape
    assert array.dtype == expected.dtype
    assert array.tolist() == expected.tolist() or array.tobytes() == expected.tobytes()


def unknown_rank(proto):
    proto.tensor_shape.unknown_rank = True
    return proto


@pytest.mark.parametrize("text", [b"a\0", "a"])
def test_encode_refuses_numpy_strings_of_fixed_width(text):
    with pytest.raises(TypeError, match="expected bytes of dtype object"):
        tensors.encode(np.array([text]))


@pytest.mark.parametrize("dtype", NUMERIC, ids=types_pb2.DataType.Name)
def test_every_dtype_survives_as_values_and_as_raw_content(dtype):
    array = np.array([[0, 1], [3, 2]]).astype(tf.as_dtype(dtype).as_numpy_dtype)
    typed = tensors.encode(array)
    assert not typed.tensor_content
    assert_same(tensors.decode(typed), array)
    assert_same(by_tensorflow(typed), array)
    raw = tensor_proto(dtype, array.shape, tensor_content=array.tobytes())
    assert_same(tensors.decode(raw), array)


@pytest.mark.parametrize("dtype", [*NUMERIC, types_pb2.DT_STRING], ids=types_pb2.DataType.Name)
def test_missing_values_are_zeros_or_empty_strings(dtype):
    proto = tensor_proto(dtype, [3])
    assert_same(decoded(proto), by_tensorflow(proto))


@pytest.mark.parametrize(
    "proto",
    [
        tensor_proto(types_pb2.DT_FLOAT, [3], float_val=[1.5, 2.5]),
        tensor_proto(types_pb2.DT_FLOAT, [2], float_val=[1.5, 2.5, 3.5]),
        tensor_proto(types_pb2.DT_FLOAT, [2], int_val=[1, 2]),
        tensor_proto(types_pb2.DT_FLOAT, [], float_val=[7, 8]),
        tensor_proto(types_pb2.DT_FLOAT, [0], tensor_content=b"xyz"),
        tensor_proto(types_pb2.DT_FLOAT, [2], tensor_content=b"1234"),
        tensor_proto(types_pb2.DT_FLOAT, [1], tensor_content=b"12345678"),
        tensor_proto(types_pb2.DT_FLOAT, [1], tensor_content=b"1234", float_val=[9]),
        tensor_proto(types_pb2.DT_FLOAT, [-1], float_val=[1]),
        tensor_proto(types_pb2.DT_FLOAT, [2**40, 2**40]),
        tensor_proto(types_pb2.DT_BOOL, [2], tensor_content=b"\0\1"),
        tensor_proto(types_pb2.DT_BOOL, [1], tensor_content=b"\2"),
        tensor_proto(types_pb2.DT_UINT8, [1], int_val=[300]),
        tensor_proto(types_pb2.DT_INT8, [2], int_val=[-1, 200]),
        tensor_proto(types_pb2.DT_HALF, [1], half_val=[15360]),
        tensor_proto(types_pb2.DT_BFLOAT16, [1], half_val=[16256]),
        tensor_proto(types_pb2.DT_COMPLEX64, [2], scomplex_val=[1, 2]),
        tensor_proto(types_pb2.DT_STRING, [3], string_val=[b"a", b"b"]),
        tensor_proto(types_pb2.DT_STRING, [2], tensor_content=b"\1\2abb"),
        tensor_proto(types_pb2.DT_STRING, [2], tensor_content=b"\1\2abbb"),
        tensor_proto(types_pb2.DT_STRING, [2], tensor_content=b"\1\2a"),
        tensor_proto(types_pb2.DT_STRING, [2], tensor_content=b"\1"),
        tensor_proto(types_pb2.DT_STRING, [1], tensor_content=b"\xff" * 12),
        tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[4, 5]),
        unknown_rank(tensor_proto(types_pb2.DT_FLOAT, [], float_val=[4, 5])),
        unknown_rank(tensor_proto(types_pb2.DT_FLOAT, [3], float_val=[5])),
        unknown_rank(tensor_proto(types_pb2.DT_UINT64, [0])),
        unknown_rank(tensor_proto(types_pb2.DT_STRING, [2, 1], string_val=[b"a", b"b"])),
        unknown_rank(tensor_proto(types_pb2.DT_BFLOAT16, [4], tensor_content=b"12345678")),
        unknown_rank(tensor_proto(types_pb2.DT_FLOAT, [-1], float_val=[1])),
        unknown_rank(tensor_proto(types_pb2.DT_FLOAT, [2**62, 2**62])),
        unknown_rank(tensor_proto(types_pb2.DT_FLOAT, [1] * 255)),
    ],
    ids=lambda proto: " ".join(str(proto).split())[:60],
)
def test_unusual_tensors_are_read_as_tensorflow_reads_them(proto):
    assert_same(decoded(proto), by_tensorflow(proto))


SIGNALLING_NANS = {
    types_pb2.DT_FLOAT: "360b827f010080ff",
    types_pb2.DT_COMPLEX64: "360b827f010080ff",
    types_pb2.DT_DOUBLE: "360b82000000f07f",
    types_pb2.DT_HALF: "017d01fd",
    types_pb2.DT_BFLOAT16: "817f81ff",
}
"""Raw content in hexadecimal, by dtype."""


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("dtype", SIGNALLING_NANS)
def test_signalling_nans_keep_their_bits(dtype, count):
    content = bytes.fromhex(SIGNALLING_NANS[dtype]) * count
    size = len(content) // tensors.numpy_dtype(dtype).itemsize
    array = tensors.decode(tensor_proto(dtype, [size], tensor_content=content))
    typed = tensors.encode(array)
    assert not typed.tensor_content
    assert by_tensorflow(typed).tobytes() == content
    assert tensors.decode(typed).tobytes() == content


def test_a_repeated_signalling_nan_keeps_its_bits():
    typed = tensors.encode(np.frombuffer(bytes.fromhex("0000803f360b827f"), np.float32))
    typed.tensor_shape.dim[0].size = 4
    assert_same(decoded(typed), by_tensorflow(typed))


@pytest.mark.parametrize("dtype", RARE, ids=types_pb2.DataType.Name)
def test_rare_dtypes_survive_a_session(dtype):
    proto = tensor_proto(dtype, [3])
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
def test_raw_content_equals_that_of_tensorflow(dtype, shape):
    values = np.arange(int(np.prod(shape))).reshape(shape)
    array = values.astype(datatypes.numpy_dtype(dtype))
    written = tensor_pb2.TensorProto()
    tensors.write(array, written, as_content=True)
    by_tensorflow = tf.io.serialize_tensor(tf.constant(array, tf.as_dtype(dtype))).numpy()
    assert written == tensor_pb2.TensorProto.FromString(by_tensorflow)


@pytest.mark.parametrize("texts", [[], [b""], [b"a" * 300, b"", b"\xff"]])
def test_tensorflow_reads_raw_strings(texts):
    array = np.array(texts, object)
    written = tensor_pb2.TensorProto()
    tensors.write(array, written, as_content=True)
    assert not written.string_val
    assert_same(by_tensorflow(written), array)


@st.composite
def any_tensor(draw):
    """A TensorProto with random fields, some of which are likely to be valid together."""
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
def test_any_tensor_is_decoded_or_refused(proto):
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
    proto = tensor_proto(dtype, shape, tensor_content=content)
    assert_same(decoded(proto), by_tensorflow(proto))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("values", [[], [0], [1, 0, 127], [128], [-1, 5], [2**30, 3] * 100])
def test_packed_numbers_equal_numbers_written_one_by_one(dtype, values):
    array = np.array(values, dtype)
    one_by_one = tensor_pb2.TensorProto(dtype=tf.as_dtype(dtype).as_datatype_enum)
    one_by_one.tensor_shape.dim.add(size=len(values))
    getattr(one_by_one, tensors.FIELDS[one_by_one.dtype][0]).extend(array.tolist())
    assert tensors.encode(array) == one_by_one
    assert tensors.encode(array).SerializeToString() == one_by_one.SerializeToString()
