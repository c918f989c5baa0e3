"""Merging the rows of requests and splitting the outputs of a batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seq2sum_serving.embedded.batching import rows
from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.inference.flat_tensor import reshape
from support.serving_errors import refusal

pytestmark = pytest.mark.tensorflow

CONCAT = "Tensor concat operation failed: INVALID_ARGUMENT: Cannot concatenate tensors"
NOT_BATCH_MAJOR = (
    "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of "
    "the input tensors"
)


def floats(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, "Batching Run() must have at least one input tensor"),
        (
            {"a": floats(2), "k": np.float32(2)},
            "Batching Run() input tensors must have at least one dimension",
        ),
        (
            {"a": floats(2, 3), "b": floats(1)},
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
    ],
)
def test_count_rows_refuses_inputs_without_a_common_number_of_rows(feeds, message):
    assert refusal(rows.count_rows, feeds) == (Code.INVALID_ARGUMENT, message)


def test_count_rows_counts_along_the_first_dimension():
    assert rows.count_rows({"a": floats(4, 3), "b": floats(4)}) == 4
    assert rows.count_rows({"a": floats(0, 3)}) == 0


def test_a_request_that_runs_alone_is_not_copied():
    feeds = {"a": floats(3)}
    assert rows.merge_inputs([feeds], 0, pad_shapes=False) is feeds
    outputs = [floats(3, 2)]
    [share] = rows.split_outputs(outputs, [3], 0)
    assert share[0] is outputs[0]


def test_split_outputs_returns_views():
    output = floats(5)
    shares = rows.split_outputs([output], [2, 0, 3], 0)
    assert [list(array) for [array] in shares] == [[0, 1], [], [2, 3, 4]]
    assert all(np.shares_memory(array, output) for [array] in shares if len(array))


@given(
    numbers=st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=6),
    padding=st.integers(0, 3),
)
def test_each_request_gets_the_outputs_of_its_own_rows(numbers, padding):
    if not any(numbers):
        padding = 0
    requests = [
        {"n": np.array(row, np.int64), "s": np.array([b"%d" % n for n in row], object)}
        for row in numbers
    ]
    merged = rows.merge_inputs(requests, padding, pad_shapes=False)
    outputs = [merged["n"] * 10, merged["s"]]
    shares = rows.split_outputs(outputs, [len(row) for row in numbers], padding)
    assert [[list(array) for array in share] for share in shares] == [
        [[n * 10 for n in row], [b"%d" % n for n in row]] for row in numbers
    ]


def test_padding_repeats_the_first_row_of_the_last_request_with_rows():
    requests = [{"a": np.array([1, 2])}, {"a": np.array([3, 4])}, {"a": np.array([], int)}]
    assert list(rows.merge_inputs(requests, 2, pad_shapes=False)["a"]) == [1, 2, 3, 4, 3, 3]


def test_different_shapes_fail_the_batch_without_padding():
    requests = [{"x": floats(1, 3), "y": floats(1)}, {"x": floats(1, 4), "y": floats(1)}]
    code, message = refusal(rows.merge_inputs, requests, 0, pad_shapes=False)
    assert code is Code.FAILED_PRECONDITION
    assert message == (
        "Tensors with name 'x' from different tasks have different shapes and padding is turned "
        "off. Set pad_variable_length_inputs to true, or ensure that all tensors with the same "
        "name have equal dimensions starting with the first dim."
    )


def test_different_shapes_are_padded_with_the_first_value_of_each_array():
    merged = rows.merge_inputs(
        [{"x": np.array([[1, 2, 3]])}, {"x": np.array([[7, 8], [9, 10]])}], 0, pad_shapes=True
    )
    assert merged["x"].tolist() == [[1, 2, 3], [7, 8, 7], [9, 10, 7]]


def test_padded_strings_keep_their_nul_bytes():
    merged = rows.merge_inputs(
        [{"x": np.array([[b"a\0"]], object)}, {"x": np.array([[b"\0", b"c\0\0"]], object)}],
        1,
        pad_shapes=True,
    )
    assert merged["x"].tolist() == [[b"a\0", b"a\0"], [b"\0", b"c\0\0"], [b"\0", b"c\0\0"]]


@pytest.mark.parametrize("rest", [(1,) * 100, (0,) * 100, (2,) + (1,) * 70])
def test_shapes_that_numpy_cannot_represent_are_merged_and_split(rest):
    width = int(np.prod(rest))
    requests = [
        {"x": reshape(np.arange(start, start + size * width), (size, *rest))}
        for start, size in ((0, 2), (10, 1))
    ]
    assert rows.count_rows(requests[0]) == 2
    merged = rows.merge_inputs(requests, 2, pad_shapes=False)
    assert merged["x"].shape == (5, *rest)
    first, second = rows.split_outputs([merged["x"]], [2, 1], 2)
    for [share], request in zip((first, second), requests, strict=True):
        assert share.shape == request["x"].shape
        assert share.ravel().tolist() == request["x"].ravel().tolist()
    [again] = rows.join_outputs(
        [list(piece.values()) for piece in rows.split_inputs(merged, [2, 3])]
    )
    assert again.ravel().tolist() == merged["x"].ravel().tolist()
    padding = merged["x"][3:].ravel().tolist()
    assert padding == requests[1]["x"].ravel().tolist() * 2


def test_padding_to_gigabytes_is_refused():
    requests = [{"x": floats(0, 2**30)}, {"x": floats(1, 2)}]
    code, message = refusal(rows.merge_inputs, requests, 0, pad_shapes=True)
    assert code is Code.INVALID_ARGUMENT
    assert message == "Cannot pad a tensor to shape [1,1073741824]: too large"


def test_requests_without_rows_may_have_another_shape():
    merged = rows.merge_inputs([{"x": floats(0, 2)}, {"x": floats(1, 3)}], 0, pad_shapes=True)
    assert merged["x"].shape == (1, 3)


@pytest.mark.parametrize(
    ("shapes", "code", "message"),
    [
        (
            [(1, 0), (1, 2)],
            Code.INVALID_ARGUMENT,
            "Got empty tensor in batch of non-empty tensors.",
        ),
        (
            [(1,) * 7],
            Code.INVALID_ARGUMENT,
            "Only tensors with rank from 1 to 6 can be padded.",
        ),
        (
            [(1, 2), (1,)],
            Code.INTERNAL,
            f"{CONCAT} that have different ranks.",
        ),
    ],
)
def test_shapes_that_cannot_be_padded_are_refused(shapes, code, message):
    requests = [{"x": floats(*shape)} for shape in shapes]
    assert refusal(rows.merge_inputs, requests, 0, pad_shapes=True) == (code, message)


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        (np.float32, np.float64, "float and double"),
        (np.int64, object, "int64 and string"),
        (np.bool_, np.float16, "bool and half"),
    ],
)
def test_different_dtypes_fail_the_batch(first, second, names):
    requests = [{"x": np.ones(1, first)}, {"x": np.ones(1, second)}]
    assert refusal(rows.merge_inputs, requests, 0, pad_shapes=False) == (
        Code.INTERNAL,
        f"{CONCAT} that have different data types. Got {names}.",
    )


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (np.float32(3), "Batched output tensor has 0 dimensions"),
        (
            floats(4),
            NOT_BATCH_MAJOR,
        ),
    ],
)
def test_outputs_without_a_row_for_each_input_row_fail_the_batch(output, message):
    assert refusal(rows.split_outputs, [floats(3), output], [1, 2], 0) == (
        Code.FAILED_PRECONDITION,
        message,
    )


def test_split_inputs_and_join_outputs_are_inverse():
    feeds = {"a": floats(5), "b": floats(5, 2)}
    pieces = rows.split_inputs(feeds, [1, 2, 2])
    assert [rows.count_rows(piece) for piece in pieces] == [1, 2, 2]
    a, b = rows.join_outputs([list(piece.values()) for piece in pieces])
    assert np.array_equal(a, feeds["a"])
    assert np.array_equal(b, feeds["b"])
