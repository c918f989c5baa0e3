"""Predictions for batches of rows, in which a bad row costs the others nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from seq2sum._command.errors import one_line
from seq2sum._command.json_rows import InvalidRow, output_values
from seq2sum._errors import CallError, InvalidInput, UnexpectedResponse, is_of_the_server
from seq2sum._prediction import Prediction

Row = Any
"""Inputs without dimension 0, or the InvalidRow of a line that has none."""
Outcome = dict[str, Any] | str
"""The outputs of a row by name, or its error."""
Item = TypeVar("Item")
Result = TypeVar("Result")


def outcomes(rows: Sequence[Row], predict: Callable[[list[Row]], Prediction]) -> list[Outcome]:
    """Returns the outputs or the error of each row, with one call if no row is bad.

    Args:
        rows: The rows.
        predict: Makes one call for rows.

    Raises:
        CallError: The call failed for a reason other than the rows.
    """
    found: list[Outcome] = [str(row) if isinstance(row, InvalidRow) else "" for row in rows]
    valid = [number for number, row in enumerate(rows) if not isinstance(row, InvalidRow)]
    for number, outcome in zip(valid, _of_valid([rows[i] for i in valid], predict), strict=True):
        found[number] = outcome
    return found


def _of_valid(rows: list[Row], predict: Callable[[list[Row]], Prediction]) -> list[Outcome]:
    """Returns the outcomes of rows; the halves of a failed batch are repeated, down to a row."""
    if not rows:
        return []
    try:
        return list(divided(predict(rows), len(rows)))
    except (CallError, UnexpectedResponse) as error:
        if is_of_the_server(error):
            raise
        if len(rows) == 1:
            return [one_line(_text(error))]
    half = len(rows) // 2
    return _of_valid(rows[:half], predict) + _of_valid(rows[half:], predict)


def _text(error: CallError | UnexpectedResponse) -> str:
    """Returns an error without the server and the model, which are the same for all rows."""
    if isinstance(error, InvalidInput):
        return error.details
    return f"{error.details} [{error.code.name}]" if isinstance(error, CallError) else str(error)


def divided(prediction: Prediction, rows: int) -> Iterator[dict[str, Any]]:
    """Yields the outputs of each row.

    Raises:
        UnexpectedResponse: An output does not have one value for each of several rows.
    """
    columns = {}
    for name, tensor in prediction.items():
        values = output_values(tensor)
        if tensor.shape[:1] != (rows,):
            if rows > 1:
                raise UnexpectedResponse(
                    f"output {name!r} has the shape {list(tensor.shape)} for {rows} rows"
                )
            values = [values]  # an output of the whole call belongs to its only row
        columns[name] = values
    for row in range(rows):
        yield {name: values[row] for name, values in columns.items()}


def in_order(
    items: Iterable[Item], work: Callable[[Item], Result], *, max_in_flight: int
) -> Iterator[Result]:
    """Yields the results of `work` in the order of the items, with several in progress."""
    executor, waiting = ThreadPoolExecutor(max_in_flight), deque[Future[Result]]()
    try:
        for item in items:
            waiting.append(executor.submit(work, item))
            while waiting and (len(waiting) >= max_in_flight or waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # after an error, the calls in flight end when the client is closed
        executor.shutdown(wait=False, cancel_futures=True)
