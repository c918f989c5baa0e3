"""Merging the rows of requests into a batch, and splitting its outputs again.

All functions are pure. Rows are along the first dimension. The inputs of a request that runs alone
are not copied, those of several requests once. Outputs are never copied: each request gets views.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2sum_serving.embedded.errors import Code, ServingError, invalid_argument
from seq2sum_serving.embedded.inference import datatypes
from seq2sum_serving.embedded.inference.flat_tensor import concatenate, repeat_row
from seq2sum_serving.embedded.inference.tensors import LARGEST_BYTES

Feeds = Mapping[str, Any]
"""Arrays by tensor name."""

RANKS = range(1, 7)
"""Ranks of arrays that can be padded to another shape."""


def count_rows(feeds: Feeds) -> int:
    """Returns the number of rows of a request.

    Raises:
        ServingError: INVALID_ARGUMENT: no arrays, a scalar, or different numbers of rows.
    """
    if not feeds:
        raise invalid_argument("Batching Run() must have at least one input tensor")
    rows = -1
    for array in feeds.values():
        if array.ndim == 0:
            raise invalid_argument("Batching Run() input tensors must have at least one dimension")
        if rows not in (-1, len(array)):
            raise invalid_argument(
                "Batching Run() input tensors must have equal 0th-dimension size"
            )
        rows = len(array)
    return rows


def merge_inputs(requests: Sequence[Feeds], padding: int, *, pad_shapes: bool) -> Feeds:
    """Returns the inputs of a batch.

    Args:
        requests: Requests with the same tensor names, in the order of arrival.
        padding: Rows to add: copies of the first row of the last request that has rows.
            (tensorflow_model_server takes the last request, and aborts if it has no rows:
            batching/batching_session.cc.)
        pad_shapes: Pad rows of different shapes to the largest one, with the first value of
            each array. Otherwise different shapes are an error.

    Raises:
        ServingError: The requests cannot be merged, and all of them fail.
    """
    if len(requests) == 1 and not padding and not pad_shapes:
        return requests[0]
    if pad_shapes:
        shapes = {name: _largest([each[name] for each in requests]) for name in requests[0]}
        requests = [
            {name: _pad(array, shapes[name]) for name, array in request.items()}
            for request in requests
        ]
    else:
        _check_shapes(requests)
    return {
        name: _concatenate([request[name] for request in requests], padding)
        for name in sorted(requests[0])
    }


def split_outputs(
    outputs: Sequence[Any], rows: Sequence[int], padding: int
) -> list[list[NDArray[Any]]]:
    """Returns the outputs of each request, as views.

    Args:
        outputs: Outputs of the graph.
        rows: Number of rows of each request.
        padding: Number of rows added at the end.

    Raises:
        ServingError: FAILED_PRECONDITION: an output does not have a row for each input row.
    """
    total = sum(rows) + padding
    for output in outputs:
        shape = output.shape
        if not shape:
            raise ServingError(Code.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")
        if shape[0] != total:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th "
                "dimension sizes of the input tensors",
            )
    if len(rows) == 1 and not padding:
        return [list(outputs)]
    shares, start = [], 0
    for number in rows:
        shares.append([output[start : start + number] for output in outputs])
        start += number
    return shares


def split_inputs(feeds: Feeds, sizes: Sequence[int]) -> list[Feeds]:
    """Splits a request into pieces with these numbers of rows; returns views."""
    pieces: list[Feeds] = []
    start = 0
    for size in sizes:
        pieces.append({name: array[start : start + size] for name, array in feeds.items()})
        start += size
    return pieces


def join_outputs(pieces: Sequence[Sequence[NDArray[Any]]]) -> list[NDArray[Any]]:
    """Joins the outputs of a request's pieces."""
    return [concatenate(outputs) for outputs in zip(*pieces, strict=True)]


def _check_shapes(requests: Sequence[Feeds]) -> None:
    first = requests[0]
    for request in requests[1:]:
        for name, array in request.items():
            if array.shape[1:] != first[name].shape[1:]:
                raise ServingError(
                    Code.FAILED_PRECONDITION,
                    f"Tensors with name '{name}' from different tasks have different shapes and "
                    "padding is turned off. Set pad_variable_length_inputs to true, or ensure "
                    "that all tensors with the same name have equal dimensions starting with "
                    "the first dim.",
                )


def _largest(arrays: Sequence[NDArray[Any]]) -> tuple[int, ...]:
    """Returns the largest size of each dimension."""
    return tuple(
        max(sizes) for sizes in zip_longest(*(array.shape for array in arrays), fillvalue=0)
    )


def _pad(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Returns an array with each row padded to `shape[1:]`."""
    if array.ndim not in RANKS:
        raise invalid_argument("Only tensors with rank from 1 to 6 can be padded.")
    if array.ndim != len(shape):
        # tensorflow_model_server aborts here (CreatePadding in batching/batching_util.cc).
        raise _concat_error("that have different ranks.")
    padded_shape = (len(array), *shape[1:])
    if array.shape == padded_shape:
        return array
    if math.prod(padded_shape) * array.dtype.itemsize > LARGEST_BYTES:
        raise invalid_argument(
            f"Cannot pad a tensor to shape {datatypes.shape_text(padded_shape)}: too large"
        )
    padded = np.empty(padded_shape, array.dtype)
    if not padded.size:
        return padded
    if not array.size:
        raise invalid_argument("Got empty tensor in batch of non-empty tensors.")
    padded[...] = array.flat[0]  # np.full would drop the NUL bytes at the end of a string
    padded[tuple(map(slice, array.shape))] = array
    return padded


def _concatenate(arrays: list[NDArray[Any]], padding: int) -> NDArray[Any]:
    first = arrays[0]
    for array in arrays[1:]:
        if array.dtype != first.dtype:
            names = [datatypes.name(datatypes.datatype(each)) for each in (first, array)]
            raise _concat_error(f"that have different data types. Got {names[0]} and {names[1]}.")
    if padding:
        row = next(array[:1] for array in reversed(arrays) if len(array))
        arrays = [*arrays, repeat_row(row, padding)]
    return arrays[0] if len(arrays) == 1 else concatenate(arrays)


def _concat_error(reason: str) -> ServingError:
    return ServingError(
        Code.INTERNAL,
        "Tensor concat operation failed: INVALID_ARGUMENT: Cannot concatenate tensors " + reason,
    )
