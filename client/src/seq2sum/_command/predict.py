"""`seq2sum predict`: sends rows of JSON to any model, and writes its outputs."""

from __future__ import annotations

import argparse
import sys

from seq2sum._batches import batches
from seq2sum._command.connection import connect
from seq2sum._command.errors import CommandError, print_error
from seq2sum._command.exit_codes import FAILURE, SUCCESS
from seq2sum._command.input_lines import InputLines, Line, Source
from seq2sum._command.json_rows import InvalidRow, parse_row
from seq2sum._command.output import Write, open_output
from seq2sum._command.prediction_formats import ERROR, FORMATS, PredictionFormat, UnwritableOutput
from seq2sum._command.progress import ProgressLine, Tally, counts, summary
from seq2sum._command.row_batches import Outcome, Row, in_order, outcomes
from seq2sum._command.row_layout import row_layout
from seq2sum._command.signature_predictor import SignaturePredictor, described
from seq2sum._command.terminal import is_terminal
from seq2sum._errors import Seq2SumError
from seq2sum._model_client import ModelClient
from seq2sum._nested_lists import InvalidValue
from seq2sum._predict_calls import checked_names

MAX_LINE = 64 << 20
"""Bytes of a line: a row may be an image."""
MIN_FOR_SUMMARY = 10_000
"""Fewest rows for which the rate is meaningful."""
HINT = 'type rows like {"text": "good"}, one per line; end with Ctrl-D'


def run(options: argparse.Namespace) -> int:
    """Runs the subcommand; returns the exit code."""
    files = options.input or ["-"]
    interactive = files == ["-"] and is_terminal(sys.stdin)
    lines = InputLines([Source.from_path(path) for path in files], max_line=MAX_LINE)
    with connect(options, ModelClient) as client, open_output(options.output) as write:
        predictor = _predictor(client, options)
        form = FORMATS[options.format](predictor.outputs)
        predict = PredictRun(predictor, form, write, options, lines)
        if interactive and not options.quiet:
            print(HINT, file=sys.stderr, flush=True)
        predict.rows(one_by_one=interactive or options.line_buffered)
    return predict.finish()


def _predictor(client: ModelClient, options: argparse.Namespace) -> SignaturePredictor:
    """Returns the predictor of rows, after checking that the model has the signature."""
    metadata = described(client, options)
    try:
        spec, wanted = checked_names(metadata, options.signature, options.outputs)
    except InvalidValue as error:
        raise CommandError(f"{error}; show the model's signatures: seq2sum describe") from error
    names = wanted or list(spec.outputs)
    if ERROR in names:
        raise CommandError(
            f"the output {ERROR!r} has the name of the field for errors: name others with --outputs"
        )
    layout = row_layout(spec, names)
    if layout.whole and layout.stacked and not options.quiet:
        print_error(
            f"one call for each row: the signature has no row for each row of its inputs in "
            f"{', '.join(sorted(layout.whole))}; name other outputs with --outputs"
        )
    return SignaturePredictor(client, metadata, layout, names, options)


class PredictRun:
    """One run of `seq2sum predict`: writes a row for each line, and counts them.

    Args:
        predictor: Predicts rows.
        form: The format of rows.
        write: The output of rows.
        options: The command line.
        lines: The input.
    """

    def __init__(
        self,
        predictor: SignaturePredictor,
        form: PredictionFormat,
        write: Write,
        options: argparse.Namespace,
        lines: InputLines,
    ) -> None:
        self._predictor, self._form, self._write = predictor, form, write
        self._options, self._lines = options, lines
        self._tally = Tally()
        enabled = not options.quiet
        self._progress = ProgressLine(self._tally, self._share, stream=sys.stderr, enabled=enabled)

    def rows(self, *, one_by_one: bool) -> None:
        """Writes the outputs of all lines, in order."""
        self._write(self._form.header)
        rows, limit = self._predictor.rows_per_call, self._options.max_in_flight
        # With one call in flight, `in_order` reads no line before the previous one is written.
        parts = batches(self._lines, 1 if one_by_one else rows)
        limit = 1 if one_by_one else limit
        try:
            for block, refused in in_order(parts, self._block, max_in_flight=limit):
                self._write("".join(block))
                self._tally.refused += refused
                self._tally.answered += len(block) - refused
                self._progress.show()
        except Seq2SumError:
            self._progress.clear()
            if self._tally.done:
                print_error(f"stopped after {self._tally.done:,} rows:")
            raise
        finally:
            self._progress.clear()

    def finish(self) -> int:
        """Prints the counts; returns the exit code."""
        if not self._options.quiet:
            if self._tally.done >= MIN_FOR_SUMMARY:
                print_error(summary(self._tally, self._progress.seconds, "rows"))
            elif self._tally.refused:
                print_error(f"{counts(self._tally)}: see the messages in the field {ERROR}")
        return FAILURE if self._tally.refused else SUCCESS

    def _block(self, lines: list[Line]) -> tuple[list[str], int]:
        """Returns the formatted rows of a batch, and how many of them are errors."""
        block, refused = [], 0
        for outcome in outcomes([_parsed(line) for line in lines], self._predictor):
            text, has_error = _formatted(outcome, self._form)
            block.append(text)
            refused += has_error
        return block, refused

    def _share(self) -> float | None:
        """Returns the share of the input that is done, as for `add`."""
        if not self._lines.size or not self._lines.taken:
            return None
        return self._lines.bytes / self._lines.size * self._tally.done / self._lines.taken


def _formatted(outcome: Outcome, form: PredictionFormat) -> tuple[str, bool]:
    """Returns a row of the output, and whether it is an error."""
    if isinstance(outcome, str):
        return form.error(outcome), True
    try:
        return form.row(outcome), False
    except UnwritableOutput as error:
        return form.error(str(error)), True


def _parsed(line: Line) -> Row:
    try:
        return parse_row(line)
    except InvalidRow as error:
        return error
