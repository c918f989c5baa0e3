"""Tensors of TensorFlow, and of any message, become Python's values and arrays, or errors."""

from __future__ import annotations

import math
import struct
import tracemalloc

import numpy as np
import pytest
import seq2sum
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from seq2sum._dtypes import DTYPES, NARROW
from seq2sum._tensor_decoding import tensor
from seq2sum._tensors import MAX_VALUES
from seq2sum.protocol import tensor_pb2
from support.tensor_values import (
    NOT_IN_NUMPY,
    PLAIN,
    VALUES,
    decoded,
    encoded,
    type_number,
    upstream,
)
from tensorflow.core.framework import tensor_pb2 as upstream_pb2

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("dtype", VALUES)
@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0, 3)])
def test_tensors_of_tensorflow_are_read(dtype, shape):
    values = np.array(VALUES[dtype], dtype=object).ravel()[: math.prod(shape)].tolist()
    made = _tensorflow_array(values, dtype).reshape(shape)
    proto = upstream_pb2.TensorProto(dtype=type_number(dtype))
    if dtype in NOT_IN_NUMPY:
        proto.tensor_shape.SetInParent()
        for size in shape:
            proto.tensor_shape.dim.add(size=size)
        proto.int_val.extend(values)
    else:
        proto = tf.make_tensor_proto(made, dtype=tf.as_dtype(type_number(dtype)))
    found = decoded(proto)
    assert (found.dtype, found.shape) == (dtype, shape)
    names = made.dtype.names
    assert found.tolist() == (made[names[0]] if names else made).tolist()


def _tensorflow_array(values, dtype):
    if dtype in NOT_IN_NUMPY:
        return np.array(values, np.int8)
    wanted = tf.as_dtype(type_number(dtype)).as_numpy_dtype
    structured = dtype.startswith("DT_Q")
    return np.array([(value,) for value in values] if structured else values, dtype=wanted)


@pytest.mark.parametrize("dtype", VALUES)
def test_typed_fields_are_read_and_the_last_value_of_a_short_list_repeated(dtype):
    values = {"DT_STRING": [b"a", b"b"], "DT_BOOL": [False, True]}.get(dtype, [1, 2])
    expected = [*values, values[-1], values[-1]]
    proto = tensor_pb2.TensorProto(dtype=type_number(dtype))
    proto.tensor_shape.dim.add(size=4)
    field = getattr(proto, DTYPES[dtype].field)
    if dtype == "DT_HALF":
        field.extend(struct.unpack("<2H", struct.pack("<2e", *values)))
    elif dtype == "DT_BFLOAT16":
        field.extend(bits >> 16 for bits in struct.unpack("<2I", struct.pack("<2f", *values)))
    elif DTYPES[dtype].field == "float8_val":
        proto.float8_val = encoded(values, dtype).tensor_content
    elif DTYPES[dtype].kind == "c":
        field.extend([1, 0, 2, 0])
    else:
        field.extend(values)
    assert decoded(proto).tolist() == expected
    if dtype in PLAIN:
        assert tf.make_ndarray(upstream(proto)).tolist() == expected


@pytest.mark.parametrize("dtype", VALUES)
def test_an_empty_list_stands_for_zeros(dtype):
    proto = tensor_pb2.TensorProto(dtype=type_number(dtype))
    proto.tensor_shape.dim.add(size=2)
    assert decoded(proto).tolist() == [b"" if dtype == "DT_STRING" else 0] * 2


def proto(dtype, *shape, **fields):
    made = tensor_pb2.TensorProto(dtype=dtype, **fields)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    return made


ENDLESS = proto(1)
ENDLESS.tensor_shape.unknown_rank = True


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (proto(1, 1 << 40, float_val=[1]), "1099511627776 values, and only 1 values"),
        (proto(1, MAX_VALUES + 1), "only 0 values"),
        (proto(7, 1 << 62, 1 << 62, string_val=[b"x"]), "only 1 values"),
        (proto(1, 1 << 40, 0), "has no values, and the shape"),
        (proto(1, 2, tensor_content=b"1234567"), "7 bytes of content for 2 values"),
        (proto(1, 0, tensor_content=b"1234"), "4 bytes of content for 0 values"),
        (proto(1, -1), "an invalid shape"),
        (proto(1, *[1] * 255, float_val=[1]), "an invalid shape"),
        (ENDLESS, "an unknown rank"),
        (proto(21, 1), "DT_VARIANT, which is not supported"),
        (proto(999, 1), "DataType 999"),
        (proto(4, 1, int_val=[256]), "does not fit DT_UINT8"),
        (proto(19, 1, half_val=[-1]), "does not fit DT_HALF"),
        (proto(8, 1, scomplex_val=[1]), "a real part without its imaginary part"),
    ],
)
def test_tensors_that_break_their_shape_are_unexpected(message, text):
    with pytest.raises(seq2sum.UnexpectedResponse) as caught:
        tensor(message, "out")
    assert text in str(caught.value)
    assert len(str(caught.value)) < 1200


DIMENSIONS = st.lists(st.sampled_from([0, 1, 2, 3, -1, 1 << 40, 1 << 62]), max_size=4)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "tensor_content": st.binary(max_size=32),
        "float_val": st.lists(st.floats(width=32), max_size=4),
        "double_val": st.lists(st.floats(), max_size=4),
        "int_val": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
        "half_val": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
        "string_val": st.lists(st.binary(max_size=3), max_size=4),
        "scomplex_val": st.lists(st.floats(width=32), max_size=5),
        "int64_val": st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4),
        "bool_val": st.lists(st.booleans(), max_size=4),
        "uint32_val": st.lists(st.integers(0, 2**32 - 1), max_size=4),
    },
)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 33), DIMENSIONS, FIELDS)
def test_any_message_is_a_tensor_or_unexpected_and_takes_little_memory(number, sizes, fields):
    message = proto(number, *sizes, **fields)
    tracemalloc.start()
    try:
        found = tensor(message, "out")
    except seq2sum.UnexpectedResponse:
        return
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20
    assert np.asarray(found).shape == found.shape
    assert repr(found)


@pytest.mark.parametrize("dtype", [name for name in VALUES if name != "DT_STRING"])
def test_numpy_shares_the_memory(dtype):
    found = decoded(encoded(VALUES[dtype], dtype))
    shared = np.asarray(found)
    assert shared.tolist() == found.tolist()
    assert not shared.flags.writeable
    if dtype not in NARROW:
        whole = np.frombuffer(found.content, np.uint8)
        assert np.shares_memory(shared, whole)
    copied = np.array(found, dtype=np.complex128 if DTYPES[dtype].kind == "c" else np.float64)
    assert copied.flags.writeable
    assert found.__array__(copy=True).flags.writeable


def test_numpy_gets_strings_as_objects():
    found = decoded(encoded([["a"], ["b"]], "DT_STRING"))
    assert np.asarray(found).tolist() == [[b"a"], [b"b"]]
    assert not hasattr(found, "__array_interface__")
    assert tf.constant(np.asarray(found)).dtype == tf.string


def test_tensors_have_length_rows_and_item():
    found = decoded(encoded([[1, 2], [3, 4]], "DT_INT32"))
    assert len(found) == 2
    assert list(found) == [[1, 2], [3, 4]]
    scalar = decoded(encoded(5, "DT_INT32"))
    with pytest.raises(TypeError, match=r"see item\(\)"):
        len(scalar)
    with pytest.raises(ValueError, match="4 values"):
        found.item()
    with pytest.raises(TypeError, match="DT_INT32 tensor has no strings"):
        _ = found.strings


def test_rows_are_items():
    values = [[1, 2], [3, 4], [5, 6]]
    found = decoded(encoded(values, "DT_INT32"))
    for key in (0, 2, -1, -3, np.int64(1), slice(1, None), slice(None, -1), slice(None, None, -2),
                slice(5, 9), slice(2, 1)):  # fmt: skip
        assert found[key] == values[key]
    assert decoded(encoded(["a", b"b"], "DT_STRING"))[-1] == b"b"
    for row in (3, -4):
        with pytest.raises(IndexError, match=f"no row {row}: the tensor has 3 rows"):
            found[row]
    for key in ((0, 1), "a", None, 1.0):
        with pytest.raises(TypeError, match="expected a row or a slice"):
            found[key]
    with pytest.raises(TypeError, match=r"see item\(\)"):
        decoded(encoded(5, "DT_INT32"))[0]


def test_a_tensor_with_one_value_converts_to_pythons_numbers():
    assert (float(decoded(encoded([1.5], "DT_FLOAT"))), int(decoded(encoded(5, "DT_INT8")))) == (
        1.5,
        5,
    )
    truth = [bool(decoded(encoded(value, "DT_BOOL"))) for value in (True, False, [False], [])]
    assert truth == [True, False, True, False]
    with pytest.raises(ValueError, match="2 values"):
        float(decoded(encoded([1.5, 2.5], "DT_FLOAT")))


def test_repr_is_short():
    assert repr(decoded(encoded([[1, 2]], "DT_FLOAT"))) == (
        "<seq2sum.Tensor DT_FLOAT [1, 2]: [[1.0, 2.0]]>"
    )
    assert repr(decoded(encoded(range(10**5), "DT_INT64"))) == (
        "<seq2sum.Tensor DT_INT64 [100000]: 0, 1, 2, 3, 4, 5, 6, 7, … (100000 values)>"
    )
    assert repr(decoded(encoded([], "DT_INT64"))) == "<seq2sum.Tensor DT_INT64 [0]: no values>"
    for values in (["x" * 10**6], ["x" * 10**6] * 100):
        assert len(repr(decoded(encoded(values, "DT_STRING")))) < 700
