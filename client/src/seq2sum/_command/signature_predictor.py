"""Calls of one signature for rows of the command line."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

from seq2sum import _predict_calls
from seq2sum._batches import stacked
from seq2sum._command.connection import call_options
from seq2sum._command.row_batches import Row, divided
from seq2sum._command.row_layout import RowLayout
from seq2sum._deadline import Deadline
from seq2sum._errors import Overloaded
from seq2sum._model_client import ModelClient
from seq2sum._nested_lists import InvalidValue
from seq2sum._versions import ModelMetadata
from seq2sum._waiting import overload_backoff


class SignaturePredictor:
    """Predicts rows by one signature of a model.

    Args:
        client: The client.
        metadata: The signatures at the start of the command.
        layout: The layout of the rows.
        outputs: The names of the outputs.
        options: The command line.
    """

    def __init__(
        self,
        client: ModelClient,
        metadata: ModelMetadata,
        layout: RowLayout,
        outputs: list[str],
        options: argparse.Namespace,
    ) -> None:
        self._client, self._metadata, self._layout = client, metadata, layout
        self._options = options
        self.outputs = outputs
        self.rows_per_call: int = layout.rows or options.batch_size

    def fits(self, row: Row) -> bool:
        """Returns whether a row fits the signature, as it was at the start."""
        try:
            inputs = stacked([row]) if self._layout.stacked else row
            _predict_calls.predict(inputs, self._metadata, signature=self._options.signature)
        except InvalidValue:
            return False
        return True

    def predict(self, rows: list[Row]) -> Sequence[dict[str, Any]]:
        """Makes one call; `predict_stream` retries it while the server is overloaded.

        Raises:
            CallError: The call failed, or the rows do not fit the signature.
            UnexpectedResponse: An output does not have one value for each of several rows.
        """
        [prediction] = self._client.predict_stream(
            rows,
            batch_size=len(rows) if self._layout.stacked else None,
            signature=self._options.signature,
            outputs=self._options.outputs,
            **call_options(self._options),
        )
        return list(divided(prediction, len(rows), self._layout.whole))


def described(client: ModelClient, options: argparse.Namespace) -> ModelMetadata:
    """Returns the signatures; repeats the call, with backoff, while the server is overloaded.

    Raises:
        CallError: The call failed.
    """
    pauses = overload_backoff(Deadline(options.timeout))
    while True:
        try:
            return client.describe(**call_options(options))
        except Overloaded:
            pause = next(pauses, None)
            if pause is None:
                raise
        time.sleep(pause)
