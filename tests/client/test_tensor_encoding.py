"""Python's values and arrays become the tensors that TensorFlow makes of them."""

from __future__ import annotations

import array
import decimal
import math
import struct

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from seq2sum import _tensor_encoding
from seq2sum._dtypes import DTYPES
from seq2sum._nested_lists import InvalidValue
from seq2sum._tensor import Tensor
from seq2sum.protocol import tensor_pb2
from support.tensor_values import ARRAYS, PLAIN, VALUES, decoded, encoded, type_number, upstream

pytestmark = pytest.mark.tensorflow


def test_values_of_every_dtype_are_tested():
    assert VALUES.keys() == DTYPES.keys()
    unsupported = {"DT_INVALID", "DT_RESOURCE", "DT_VARIANT"}
    assert set(tensor_pb2.DataType.keys()) - unsupported == DTYPES.keys()
    for dtype in DTYPES.values():
        assert tensor_pb2.DataType.Value(dtype.name) == dtype.number


@pytest.mark.parametrize("dtype", VALUES)
def test_round_trip(dtype):
    found = decoded(encoded(VALUES[dtype], dtype, (-1, 3)))
    assert (found.dtype, found.shape) == (dtype, (2, 3))
    tolerance = {"DT_HALF": 1e-3, "DT_BFLOAT16": 1e-2, "DT_FLOAT": 1e-6}.get(dtype, 0)
    if tolerance:
        assert [pytest.approx(row, rel=tolerance) for row in VALUES[dtype]] == found.tolist()
    else:
        assert found.tolist() == VALUES[dtype]


@pytest.mark.parametrize("dtype", PLAIN)
def test_lists_become_the_tensors_that_tensorflow_makes(dtype):
    values = VALUES[dtype]
    kind = tf.as_dtype(type_number(dtype))
    made = np.array(values, np.uint64) if dtype == "DT_UINT64" else values
    wanted = tf.make_ndarray(tf.make_tensor_proto(made, dtype=kind))
    found = tf.make_ndarray(upstream(encoded(values, dtype)))
    assert found.dtype == wanted.dtype
    assert found.tobytes() == wanted.tobytes() or dtype == "DT_STRING"
    assert found.tolist() == wanted.tolist()


@pytest.mark.parametrize("dtype", PLAIN)
def test_tensorflow_parses_the_tensors(dtype):
    raw = encoded(VALUES[dtype], dtype).SerializeToString()
    parsed = tf.io.parse_tensor(raw, tf.as_dtype(type_number(dtype)))
    wanted = tf.constant(VALUES[dtype], tf.as_dtype(type_number(dtype)))
    assert parsed.dtype == wanted.dtype
    assert parsed.numpy().tolist() == wanted.numpy().tolist()


FLOATS = st.floats(width=32)


@settings(deadline=None)
@given(st.lists(FLOATS))
def test_bfloat16_is_rounded_as_ml_dtypes_does(values):
    try:
        found = decoded(encoded(values, "DT_BFLOAT16"))
    except InvalidValue:
        rounded = np.array(values, np.float32).astype(ml_dtypes.bfloat16)
        assert np.isinf(rounded).sum() > np.isinf(values).sum()
        return
    wanted = np.array(values, np.float32).astype(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(found), wanted)


FLOAT8 = {"DT_FLOAT8_E5M2": ml_dtypes.float8_e5m2, "DT_FLOAT8_E4M3FN": ml_dtypes.float8_e4m3fn}


@pytest.mark.parametrize("dtype", FLOAT8)
def test_every_float8_is_read_and_written_as_by_ml_dtypes(dtype):
    every = np.arange(256, dtype=np.uint8).view(FLOAT8[dtype])
    found = Tensor(dtype, (256,), every.tobytes())
    np.testing.assert_array_equal(np.asarray(found), every.astype(np.float32))
    np.testing.assert_array_equal(found.tolist(), every.astype(np.float64))
    for given_value in (every, found):
        assert decoded(encoded(given_value, dtype)).content == every.tobytes()
        wide = np.asarray(decoded(encoded(given_value, "DT_FLOAT")))
        np.testing.assert_array_equal(wide, every.astype(np.float32))
    numbers = [value for value in found.tolist() if math.isfinite(value)]
    again = decoded(encoded(numbers, dtype)).content
    assert list(again) == [code for code in range(256) if math.isfinite(found.tolist()[code])]


@pytest.mark.parametrize("dtype", FLOAT8)
@settings(deadline=None)
@given(st.lists(st.floats(-70_000, 70_000) | st.floats(-500, 500) | FLOATS, max_size=20))
def test_float8_is_rounded_as_ml_dtypes_does(dtype, values):
    with np.errstate(over="ignore"):
        wanted = np.array(values).astype(FLOAT8[dtype]).astype(np.float64)
    lost = ~np.isfinite(wanted) & np.isfinite(values)
    if dtype == "DT_FLOAT8_E4M3FN":  # it has no infinity
        lost |= np.isinf(values)
    if lost.any():
        with pytest.raises(InvalidValue, match="too large"):
            encoded(values, dtype)
        return
    np.testing.assert_array_equal(decoded(encoded(values, dtype)).tolist(), wanted)


@settings(deadline=None)
@given(st.data())
def test_arrays_of_any_type_and_order_become_equal_tensors(data):
    dtype = data.draw(st.sampled_from([name for name in VALUES if name in ARRAYS]))
    kind, size = DTYPES[dtype].kind, DTYPES[dtype].size
    order = data.draw(st.sampled_from("<>"))
    shape = tuple(data.draw(st.lists(st.integers(0, 3), max_size=3)))
    raw = data.draw(st.binary(min_size=math.prod(shape) * size, max_size=math.prod(shape) * size))
    values = np.frombuffer(raw, "u1" if kind == "b" else f"{order}{kind}{size}")
    values = (values & 1).astype(bool) if kind == "b" else values
    values = values.reshape(shape)
    for given_value in (values, values.T, np.asfortranarray(values)):
        found = np.asarray(decoded(encoded(given_value, dtype)))
        assert found.shape == given_value.shape
        np.testing.assert_array_equal(found, given_value)


@settings(deadline=None)
@given(st.recursive(st.lists(st.integers(-5, 5) | st.floats(allow_nan=False)), st.lists))
def test_nested_lists_have_numpys_shape_or_are_ragged(values):
    try:
        expected = np.array(values, np.float64)
    except ValueError:
        with pytest.raises(InvalidValue, match="ragged"):
            encoded(values, "DT_DOUBLE")
        return
    found = decoded(encoded(values, "DT_DOUBLE"))
    assert (found.shape, found.tolist()) == (expected.shape, expected.tolist())


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([1.5, -1e300, np.inf, np.nan]), "DT_DOUBLE"),
        (np.array([0.1, 3.4028234663852886e38, np.nan]), "DT_FLOAT"),
        (np.array([0.1, np.inf, -np.inf, np.nan]), "DT_FLOAT"),
        (np.array([0.1, 65519.9, 1e-8]), "DT_HALF"),
        (np.array([-(2**53) - 1, 2**63 - 1]), "DT_FLOAT"),
        (np.array([2**64 - 1], np.uint64), "DT_DOUBLE"),
        (np.array([-(2**31), 2**31 - 1], ">i8"), "DT_INT32"),
        (np.array([0, 2**63], np.uint64), "DT_UINT64"),
        (np.array([0, 255], np.float16), "DT_FLOAT"),
        (np.float64(0.1).astype(np.longdouble).astype("f8"), "DT_FLOAT"),
        (np.array([[1, 2], [3, 4]]).T, "DT_INT16"),
        (np.array([-128], np.int8), "DT_HALF"),
        (np.array([[]], np.int64), "DT_INT32"),
    ],
)
def test_arrays_are_converted_as_numpy_does(values, dtype):
    found = decoded(encoded(values, dtype))
    wanted = values.astype(np.dtype(DTYPES[dtype].typestr))
    assert found.shape == values.shape
    np.testing.assert_array_equal(np.asarray(found), wanted)
    np.testing.assert_array_equal(np.asarray(decoded(encoded(values.tolist(), dtype))), wanted)


class OnlyArray:
    def __array__(self, dtype=None, copy=None):
        return np.array([1, 2], np.int64)


class OnlyInterface:
    __array_interface__ = {  # noqa: RUF012 as numpy's own
        "version": 3, "shape": (2,), "typestr": "<i8", "data": struct.pack("<2q", 1, 2),
    }  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        [1, 2], (1, 2), range(1, 3), np.array([1, 2], np.uint8), [np.int16(1), np.uint64(2)],
        array.array("h", [1, 2]), memoryview(bytes([1, 2])), bytearray([1, 2]), OnlyArray(),
        OnlyInterface(), tf.constant([1, 2]), np.array([[1, 9], [2, 9]])[:, 0],
        [array.array("b", [1]), array.array("b", [2])],
    ],
)  # fmt: skip
def test_arrays_and_sequences_of_integers_are_accepted(value):
    found = decoded(encoded(value, "DT_INT32")).tolist()
    assert found in ([1, 2], [[1], [2]])
    assert decoded(encoded(value, "DT_DOUBLE")).tolist() in ([1, 2], [[1], [2]])


@pytest.mark.parametrize(
    "value",
    [["é", b"b"], np.array(["é", "b"]), np.array(["é", b"b"], object), tf.constant(["é", "b"])],
)
def test_texts_become_utf8(value):
    found = decoded(encoded(value, "DT_STRING"))
    assert found.tolist() == ["é".encode(), b"b"]
    assert found.strings == ["é", "b"]


def test_scalars_are_accepted():
    for value in (1.5, np.float64(1.5), np.float32(1.5), np.array(1.5), decimal.Decimal("1.5")):
        assert decoded(encoded(value, "DT_FLOAT", ())).item() == 1.5
    assert decoded(encoded(bytearray(b"x"), "DT_STRING", ())).item() == b"x"
    for value in (bytearray(b"x"), memoryview(b"x")):
        assert decoded(encoded([value, "y"], "DT_STRING", (-1,))).tolist() == [b"x", b"y"]


def test_infinities_stay_on_the_path_of_numpy(monkeypatch):
    monkeypatch.setattr(_tensor_encoding, "_numbers", None)
    values = np.array([1.0, np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(np.asarray(decoded(encoded(values, "DT_FLOAT"))), values)


def test_tensors_of_replies_are_accepted():
    for dtype, values in VALUES.items():
        first = decoded(encoded(values, dtype))
        assert decoded(encoded(first, dtype)) == first
        assert decoded(encoded([first, first], dtype)).tolist() == [first.tolist()] * 2
    wide = encoded(decoded(encoded([1.5], "DT_BFLOAT16")), "DT_FLOAT")
    assert decoded(wide).tolist() == [1.5]


def test_an_empty_list_gets_the_sizes_of_the_rows_from_the_signature():
    assert decoded(encoded([], "DT_FLOAT", (-1, 3, -1))).shape == (0, 3, 0)


REFUSED = [
    (None, "DT_FLOAT", None, "expected DT_FLOAT of any shape, not None"),
    ([1, None], "DT_FLOAT", (-1,), "expected DT_FLOAT of shape [any], not None"),
    ([[1], [2, 3]], "DT_FLOAT", None, "a ragged list: rows of lengths 1 and 2 at depth 1"),
    ([1, [2]], "DT_FLOAT", None, "a ragged list: lists next to values at depth 1"),
    ([1.5], "DT_INT32", None, "not 1.5 of type float"),
    ([True], "DT_INT32", None, "not True of type bool"),
    ([1, "2"], "DT_FLOAT", None, "not '2' of type str"),
    ([1j], "DT_FLOAT", None, "not 1j of type complex"),
    ([1], "DT_BOOL", None, "not values of type int"),
    ([1], "DT_STRING", None, "not 1 of type int"),
    ([b"1"], "DT_INT64", None, "not b'1' of type bytes"),
    (["\ud800"], "DT_STRING", None, "it cannot be encoded as UTF-8; give bytes instead"),
    ("x", "DT_STRING", (-1,), "of shape []; write a list of one value"),
    ([["x"]], "DT_STRING", (-1,), "of shape [1, 1]"),
    ([[]], "DT_FLOAT", (-1, 2, 3), "not an empty list of shape [1, 0]"),
    ([[1, 2]], "DT_FLOAT", (-1, 3), "expected DT_FLOAT of shape [any, 3], not values of type int"),
    (np.zeros((2, 2)), "DT_FLOAT", (-1, 3), "not an array of float64 of shape [2, 2]"),
    (np.array([1.5]), "DT_INT32", None, "not an array of float64"),
    (np.array([True]), "DT_FLOAT", None, "not an array of bool"),
    (np.array([1, "x"], object), "DT_FLOAT", None, "not an object array"),
    (np.array([None], object), "DT_STRING", None, "not None"),
    (np.array(["x"]), "DT_FLOAT", None, "not an array of <U1"),
    (np.datetime64("2026-01-01"), "DT_INT64", None, "not an array of datetime64[D]"),
    (np.array([-(2**63)]), "DT_HALF", None, "a number that is too large for it"),
    (np.array([1.5, 1e39]), "DT_FLOAT", None, "a number that is too large for it"),
    (np.array([2**63], np.uint64), "DT_INT64", None, "not 9223372036854775808: its range is"),
    (np.array([300]), "DT_UINT8", None, "not 300: its range is 0 to 255"),
    ([-1], "DT_UINT64", None, "its range is 0 to 18446744073709551615"),
    ([10**5000], "DT_INT64", None, "not an int of thousands of digits: its range is"),
    ([8], "DT_INT4", None, "not 8: its range is -8 to 7"),
    ([1e39], "DT_FLOAT", None, "a number that is too large for it"),
    ([10**400], "DT_DOUBLE", None, "a number that is too large for it"),
    ([65520.0], "DT_HALF", None, "a number that is too large for it"),
    ([3.4e38], "DT_BFLOAT16", None, "a number that is too large for it"),
    ([1e39j], "DT_COMPLEX64", None, "a number that is too large for it"),
    ({1, 2}, "DT_FLOAT", None, "not {1, 2} of type set"),
    (object, "DT_FLOAT", None, "of type type"),
    ([1], "DT_VARIANT", None, "the dtype DT_VARIANT is not supported"),
]


@pytest.mark.parametrize(("value", "dtype", "shape", "text"), REFUSED)
def test_values_that_do_not_fit_are_refused(value, dtype, shape, text):
    with pytest.raises(InvalidValue) as caught:
        encoded(value, dtype, shape)
    assert text in str(caught.value)
    assert len(str(caught.value)) < 300


def test_lists_without_end_are_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(InvalidValue, match="more than 254 levels"):
        encoded(endless, "DT_FLOAT")
