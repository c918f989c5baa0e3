"""Predictions for batches of rows, in which a bad row does not affect the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from seq2sum._command.errors import one_line
from seq2sum._command.json_rows import InvalidRow, output_values
from seq2sum._errors import CallError, InvalidInput, UnexpectedResponse, is_input_independent
from seq2sum._prediction import Prediction

Row = Any
"""The inputs in a line, or its InvalidRow."""
Outcome = dict[str, Any] | str
"""The outputs of a row by name, or its error."""
Item = TypeVar("Item")
Result = TypeVar("Result")


class RowPredictor(Protocol):
    """Predicts rows."""

    def fits(self, row: Row) -> bool:
        """Returns whether a row fits the signature, as far as that is known without a call."""

    def predict(self, rows: list[Row]) -> Sequence[dict[str, Any]]:
        """Makes one call, and returns the outputs of each row.

        Raises:
            CallError: The call failed, or the rows do not fit the signature.
            UnexpectedResponse: An output does not have one value for each of several rows.
        """


def outcomes(rows: Sequence[Row], predictor: RowPredictor) -> list[Outcome]:
    """Returns the outputs or the error of each row, with one call if no row is bad.

    Raises:
        CallError: The call failed for a reason other than the rows.
    """
    found: list[Outcome] = [str(row) if isinstance(row, InvalidRow) else "" for row in rows]
    valid = [number for number, row in enumerate(rows) if not isinstance(row, InvalidRow)]
    for number, outcome in zip(valid, _of_valid([rows[i] for i in valid], predictor), strict=True):
        found[number] = outcome
    return found


def _of_valid(rows: list[Row], predictor: RowPredictor) -> list[Outcome]:
    """Returns the outcomes of rows; retries a failed batch in halves, down to single rows."""
    if not rows:
        return []
    try:
        return list(predictor.predict(rows))
    except (CallError, UnexpectedResponse) as error:
        if is_input_independent(error):
            raise
        if len(rows) == 1:
            return [one_line(_text(error))]
        if isinstance(error, InvalidInput) and not all(fit := list(map(predictor.fits, rows))):
            return _sorted_out(rows, fit, predictor)
    half = len(rows) // 2
    return _of_valid(rows[:half], predictor) + _of_valid(rows[half:], predictor)


def _sorted_out(rows: list[Row], fit: list[bool], predictor: RowPredictor) -> list[Outcome]:
    """Returns the outcomes of rows, after one call for all that fit the signature.

    The others are tried alone: the model may have changed, or else the client refuses them.
    """
    good = iter(_of_valid([row for row, fits in zip(rows, fit, strict=True) if fits], predictor))
    return [
        next(good) if fits else _of_valid([row], predictor)[0]
        for row, fits in zip(rows, fit, strict=True)
    ]


def _text(error: CallError | UnexpectedResponse) -> str:
    """Returns an error without the server and the model, which are the same for all rows."""
    if isinstance(error, InvalidInput):
        return error.details
    return f"{error.details} [{error.code.name}]" if isinstance(error, CallError) else str(error)


def divided(
    prediction: Prediction, rows: int, whole: Collection[str] = ()
) -> Iterator[dict[str, Any]]:
    """Yields the outputs of each row.

    Args:
        prediction: The result of a call.
        rows: Its number of rows.
        whole: The outputs that belong to the whole call; each row has all of their values.

    Raises:
        UnexpectedResponse: An output does not have one value for each of several rows.
    """
    columns = {}
    for name, tensor in prediction.items():
        values = output_values(tensor)
        if name in whole:
            values = [values] * rows
        elif tensor.shape[:1] != (rows,):
            if rows > 1:
                raise UnexpectedResponse(
                    f"output {name!r} has the shape {list(tensor.shape)} for {rows} rows"
                )
            values = [values]
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
