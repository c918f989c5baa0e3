"""The probe of `seq2sum watch`: a question, or a row of any model."""

from __future__ import annotations

import argparse
from typing import Any

from seq2sum._batches import stacked
from seq2sum._command.connection import call_options
from seq2sum._command.errors import UsageError, question_text
from seq2sum._command.json_rows import InvalidRow, parse_row
from seq2sum._command.row_batches import divided
from seq2sum._command.row_layout import RowLayout, row_layout
from seq2sum._command.watch_view import answer_line, reply_line
from seq2sum._predict_calls import DEFAULT_SIGNATURE
from seq2sum.addition import contract
from seq2sum.addition.client import Client

QUESTION = "53+42"
"""The probe of a model that adds."""


class QuestionProbe:
    """A question for a model that adds."""

    def __init__(self, question: str | bytes, options: argparse.Namespace) -> None:
        self._question, self._options = question, options

    def prepare(self, client: Client) -> None:
        """Does nothing: a question needs no signature."""

    def reply(self, client: Client) -> str:
        """Sends the question; returns the answer in one line."""
        return answer_line(client.add(self._question, **call_options(self._options)))


class RowProbe:
    """A row for any model."""

    def __init__(self, row: Any, options: argparse.Namespace) -> None:
        self._row, self._options = row, options
        self._signature: str = options.signature or DEFAULT_SIGNATURE
        self._layout: RowLayout | None = None

    def prepare(self, client: Client) -> None:
        """Fetches the signature, if it is not known.

        Raises:
            CallError: The call failed.
        """
        if self._layout is None:
            metadata = client.describe(**call_options(self._options))
            if (spec := metadata.signatures.get(self._signature)) is not None:
                self._layout = row_layout(spec, spec.outputs)

    def reply(self, client: Client) -> str:
        """Sends the row; returns the outputs in one line.

        Raises:
            CallError: The call failed.
        """
        layout, self._layout = self._layout, None  # fetched again after an error
        inputs = stacked([self._row]) if layout is None or layout.stacked else self._row
        prediction = client.predict(
            inputs, signature=self._signature, **call_options(self._options)
        )
        [outputs] = divided(prediction, 1, layout.whole if layout is not None else ())
        self._layout = layout
        return reply_line(outputs, prediction.version)


def probe(options: argparse.Namespace) -> QuestionProbe | RowProbe | None:
    """Returns the probe of the command line; None if there is none.

    Raises:
        UsageError: It is not a question and not JSON, or `--signature` does not apply to it.
    """
    given = options.probe
    if given is None and options.model == contract.MODEL_NAME and options.signature is None:
        given = QUESTION
    if given is None:
        if options.signature is not None:
            raise UsageError("--signature needs --probe with a row of inputs as JSON")
        return None
    raw = given.encode() if isinstance(given, str) else given
    if contract.QUESTION.fullmatch(raw):
        if options.signature is not None:
            raise UsageError("--signature needs a --probe that is JSON, and not a question")
        return QuestionProbe(given, options)
    try:
        return RowProbe(parse_row(given), options)
    except InvalidRow as error:
        raise UsageError(
            f"invalid --probe {question_text(given)}: expected a question like {QUESTION}, or a "
            f"row as JSON: {error}"
        ) from error
