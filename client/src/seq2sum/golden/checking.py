"""Sends golden requests to a server, and compares the outputs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from seq2sum._errors import Seq2SumError, is_input_independent
from seq2sum._model_client import ModelClient
from seq2sum._nested_lists import InvalidValue, flatten
from seq2sum._options import CallOptions
from seq2sum._prediction import Prediction
from seq2sum._tensor import Tensor
from seq2sum.golden.comparison import differences
from seq2sum.golden.requests import GoldenRequest

MAX_ROWS = 128
"""Rows of the requests that are sent in one call."""


@dataclass(frozen=True, slots=True)
class GoldenResult:
    """The result of one golden request."""

    request: GoldenRequest
    outputs: Mapping[str, Any]
    """The values by output name, as nested lists; empty after an error."""
    differences: tuple[str, ...] = ()
    """A text for each output that is not as expected."""
    error: str = ""
    """Why the request failed; empty if it was answered."""

    @property
    def passed(self) -> bool:
        """Whether every output is as expected."""
        return not self.differences and not self.error

    def __str__(self) -> str:
        """Returns what differs, or the error; empty if every output is as expected."""
        return self.error or "; ".join(self.differences)


def check(
    client: ModelClient, requests: Sequence[GoldenRequest], **options: Unpack[CallOptions]
) -> list[GoldenResult]:
    """Returns the result of each request, in order.

    Requests whose inputs differ in dimension 0 alone are sent together. Those that fail that way,
    or are not as expected, are sent again alone, and only that result counts.

    Args:
        client: A client of the model.
        requests: Golden requests.
        options: See `seq2sum.CallOptions`; the timeout is for each RPC.

    Raises:
        CallError: The server did not answer, for a reason other than the request.
    """
    results: dict[int, GoldenResult] = {}
    for group in _groups(requests):
        merged = [requests[index] for index in group]
        found = _check_together(client, merged, options) if len(group) > 1 else [None]
        for index, result in zip(group, found, strict=True):
            if result is not None and result.passed:
                results[index] = result
            else:
                results[index] = check_one(client, requests[index], **options)
    return [results[index] for index in range(len(requests))]


def check_one(
    client: ModelClient, request: GoldenRequest, **options: Unpack[CallOptions]
) -> GoldenResult:
    """Returns the result of one request, sent alone.

    Raises:
        CallError: The server did not answer, for a reason other than the request.
    """
    try:
        prediction = _predict(client, request, request.inputs, options)
    except Seq2SumError as error:
        if is_input_independent(error):
            raise
        return GoldenResult(request, {}, error=str(error))
    return _result(request, prediction)


def _predict(
    client: ModelClient, request: GoldenRequest, inputs: Mapping[str, Any], options: CallOptions
) -> Prediction:
    names = list(request.expect) or None
    return client.predict(inputs, signature=request.signature_name, outputs=names, **options)


def _result(request: GoldenRequest, outputs: Mapping[str, Tensor]) -> GoldenResult:
    """Returns the result of an answered request."""
    values = {name: tensor.tolist() for name, tensor in outputs.items()}
    return GoldenResult(request, values, tuple(differences(request, outputs)))


def _groups(requests: Sequence[GoldenRequest]) -> list[list[int]]:
    """Returns the indices of the requests of each call."""
    groups: list[list[int]] = []
    open_groups: dict[Hashable, tuple[list[int], int]] = {}
    for index, request in enumerate(requests):
        key, rows = _merge_key(request.inputs)
        if key is None:
            groups.append([index])
            continue
        key = key, request.signature_name, frozenset(request.expect)
        group, filled = open_groups.get(key, ([], MAX_ROWS))
        if filled + rows > MAX_ROWS:
            group, filled = [], 0
            groups.append(group)
        group.append(index)
        open_groups[key] = group, filled + rows
    return groups


def _merge_key(inputs: Mapping[str, Any]) -> tuple[Hashable, int]:
    """Returns what the inputs of merged requests have in common, and the number of rows.

    The first is None for requests that cannot be merged.
    """
    try:
        shapes = {name: flatten(value)[0] for name, value in inputs.items()}
    except InvalidValue:
        return None, 0
    rows = {shape[0] if shape else None for shape in shapes.values()}
    if len(rows) != 1 or not (count := rows.pop()):
        return None, 0
    return frozenset((name, shape[1:]) for name, shape in shapes.items()), count


def _check_together(
    client: ModelClient, requests: Sequence[GoldenRequest], options: CallOptions
) -> list[GoldenResult] | list[None]:
    """Returns the results of requests in one call; None for each of them if that fails."""
    first = requests[0]
    inputs = {n: [row for each in requests for row in each.inputs[n]] for n in first.inputs}
    counts = [len(next(iter(each.inputs.values()))) for each in requests]
    try:
        prediction = _predict(client, first, inputs, options)
    except Seq2SumError:  # perhaps because of one of them
        return [None] * len(requests)
    if any(tensor.shape[:1] != (sum(counts),) for tensor in prediction.values()):
        return [None] * len(requests)
    results, start = [], 0
    for request, count in zip(requests, counts, strict=True):
        own = {name: tensor.rows(start, start + count) for name, tensor in prediction.items()}
        results.append(_result(request, own))
        start += count
    return results
