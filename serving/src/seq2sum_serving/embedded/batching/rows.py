"""Merging the rows of several requests, and sharing out the rows of the answer.

Everything here is a function of arrays. Rows are along the first dimension. A request that
runs alone is not copied; several are copied once, into the arrays that the graph gets; what
the graph answers is not copied at all, each request gets a view of its rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference import datatypes
from seq2sum_serving.embedded.inference.flat_tensor import concatenate, repeat_row
from seq2sum_serving.embedded.inference.tensors import LARGEST_BYTES

Feeds = Mapping[str, Any]
"""Arrays by tensor name."""

RANKS = range(1, 7)
"""Of arrays that can be filled up to the shape of others."""


def count_rows(feeds: Feeds) -> int:
    """How many rows a request has.

    Raises:
        ServingError: INVALID_ARGUMENT: its arrays do not agree on it.
    """
    if not feeds:
        raise _invalid("Batching Run() must have at least one input tensor")
    rows = -1
    for array in feeds.values():
        if array.ndim == 0:
            raise _invalid("Batching Run() input tensors must have at least one dimension")
        if rows not in (-1, len(array)):
            raise _invalid("Batching Run() input tensors must have equal 0th-dimension size")
        rows = len(array)
    return rows


def merge_inputs(requests: Sequence[Feeds], extra: int, *, fill: bool) -> Feeds:
    """One batch of several requests, which feed the same tensors.

    Args:
        requests: In the order in which they arrived.
        extra: Rows to add: copies of the first row of the last request that has one. The real
            server ends if the last request has none.
        fill: Rows that differ in shape are filled up to the largest, each with the first
            value of its array. Otherwise they are an error.

    Raises:
        ServingError: They cannot be merged; none of them can be answered then.
    """
    if len(requests) == 1 and not extra and not fill:
        return requests[0]
    if fill:
        shapes = {name: _largest([each[name] for each in requests]) for name in requests[0]}
        requests = [
            {name: _filled(array, shapes[name]) for name, array in request.items()}
            for request in requests
        ]
    else:
        _check_shapes(requests)
    return {
        name: _concatenated([request[name] for request in requests], extra)
        for name in sorted(requests[0])
    }


def split_outputs(
    outputs: Sequence[Any], rows: Sequence[int], extra: int
) -> list[list[NDArray[Any]]]:
    """The rows of every request, of each output: views, in the order of the requests.

    Args:
        outputs: What the graph answered.
        rows: How many each request has.
        extra: How many were added behind them.

    Raises:
        ServingError: FAILED_PRECONDITION: an output is not one row for each row of input.
    """
    total = sum(rows) + extra
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
    if len(rows) == 1 and not extra:
        return [list(outputs)]
    shares, start = [], 0
    for number in rows:
        shares.append([output[start : start + number] for output in outputs])
        start += number
    return shares


def split_inputs(feeds: Feeds, sizes: Sequence[int]) -> list[Feeds]:
    """A request in pieces of so many rows; views."""
    pieces: list[Feeds] = []
    start = 0
    for size in sizes:
        pieces.append({name: array[start : start + size] for name, array in feeds.items()})
        start += size
    return pieces


def join_outputs(pieces: Sequence[Sequence[NDArray[Any]]]) -> list[NDArray[Any]]:
    """The outputs of a request from those of its pieces."""
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
    """The largest size of every dimension."""
    return tuple(
        max(sizes) for sizes in zip_longest(*(array.shape for array in arrays), fillvalue=0)
    )


def _filled(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The array with its rows filled up to this shape; the number of rows stays."""
    if array.ndim not in RANKS:
        raise _invalid("Only tensors with rank from 1 to 6 can be padded.")
    if array.ndim != len(shape):
        # The real server ends here, by a check of its own.
        raise ServingError(
            Code.INTERNAL,
            "Tensor concat operation failed: INVALID_ARGUMENT: Cannot concatenate tensors "
            "that have different ranks.",
        )
    wanted = (len(array), *shape[1:])
    if array.shape == wanted:
        return array
    if math.prod(wanted) * array.dtype.itemsize > LARGEST_BYTES:
        raise _invalid(f"Cannot pad a tensor to shape {datatypes.shape_text(wanted)}: too large")
    if 0 in wanted:
        return np.empty(wanted, array.dtype)
    if not array.size:
        raise _invalid("Got empty tensor in batch of non-empty tensors.")
    filled = np.empty(wanted, array.dtype)
    filled[...] = array.flat[0]  # np.full would drop the NUL bytes at the end of a string
    filled[tuple(map(slice, array.shape))] = array
    return filled


def _concatenated(arrays: list[NDArray[Any]], extra: int) -> NDArray[Any]:
    first = arrays[0]
    for array in arrays[1:]:
        if array.dtype != first.dtype:
            raise ServingError(
                Code.INTERNAL,
                "Tensor concat operation failed: INVALID_ARGUMENT: Cannot concatenate tensors "
                f"that have different data types. Got {_dtype(first)} and {_dtype(array)}.",
            )
    if extra:
        row = next(array[:1] for array in reversed(arrays) if len(array))
        arrays = [*arrays, repeat_row(row, extra)]
    return arrays[0] if len(arrays) == 1 else concatenate(arrays)


def _dtype(array: NDArray[Any]) -> str:
    return datatypes.name(datatypes.datatype(array))


def _invalid(text: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, text)
