"""`seq2sum add`: answers questions from arguments, files and pipes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from seq2sum._command.connection import call_options, connect
from seq2sum._command.errors import (
    UsageError,
    error_message,
    one_line,
    print_error,
    question_text,
)
from seq2sum._command.exit_codes import FAILURE, SUCCESS
from seq2sum._command.input_lines import InputLines, Source
from seq2sum._command.output import Write, open_output
from seq2sum._command.progress import ProgressLine, Tally, counts, summary
from seq2sum._command.rows import FORMATS, Row, part
from seq2sum._command.terminal import is_terminal
from seq2sum._errors import CallError, Seq2SumError, UnexpectedResponse
from seq2sum.addition.answers import Columns, Question
from seq2sum.addition.client import Client

MAX_ERRORS = 20
"""Limit of error lines in bulk mode: in a file of the wrong kind, every line is an error."""
MIN_FOR_SUMMARY = 10_000
"""Fewest questions for which the rate is meaningful."""
HINT = "type questions like 53+42, one per line; end with Ctrl-D"


def run(options: argparse.Namespace) -> int:
    """Runs `seq2sum add`; returns the exit code."""
    if options.questions and options.input:
        raise UsageError("questions and --input exclude each other: give either")
    files = options.input or ["-"]
    interactive = not options.questions and files == ["-"] and is_terminal(sys.stdin)
    lines = None if options.questions else InputLines([Source.from_path(path) for path in files])
    with connect(options, Client) as client, open_output(options.output) as write:
        add = AddRun(client, write, options, lines=lines, show_origin=not interactive)
        if interactive and not options.quiet:
            print(HINT, file=sys.stderr, flush=True)
        if interactive or (lines is not None and options.line_buffered):
            add.one_by_one(lines or options.questions)
        else:
            add.bulk(lines or options.questions)
    return add.finish()


class AddRun:
    """One run of `seq2sum add`: writes rows, prints refused questions, and counts both.

    Args:
        client: The client.
        write: The output of rows.
        options: The command line.
        lines: The input; None for questions that are arguments.
        show_origin: Whether messages start with the file and line of the question.
    """

    def __init__(
        self,
        client: Client,
        write: Write,
        options: argparse.Namespace,
        *,
        lines: InputLines | None,
        show_origin: bool,
    ) -> None:
        self._client, self._write, self._call_options = client, write, call_options(options)
        self._format = FORMATS[options.format]
        self._lines, self._show_origin = lines, show_origin
        self._errors_left = sys.maxsize if options.all_errors else MAX_ERRORS
        self._unprinted = 0
        self._quiet = options.quiet
        self._tally = Tally()
        enabled = lines is not None and not options.quiet
        self._progress = ProgressLine(self._tally, self._share, stream=sys.stderr, enabled=enabled)

    def bulk(self, questions: Iterable[Question]) -> None:
        """Answers questions in large calls."""
        self._write(self._format.header)
        try:
            for columns in self._client.stream_columns(questions, **self._call_options):
                self._take(columns)
                self._progress.show()
        except Seq2SumError:
            self._progress.clear()
            if self._tally.done:
                print_error(f"stopped after {self._tally.done:,} questions:")
            raise
        finally:
            self._progress.clear()

    def one_by_one(self, questions: Iterable[Question]) -> None:
        """Answers each question before the next is read, and continues after a failed call."""
        self._errors_left = sys.maxsize
        self._write(self._format.header)
        for question in questions:
            try:
                columns = self._client.add_columns([question], **self._call_options)
            except (CallError, UnexpectedResponse) as error:
                row = Row(question_text(question), None, None, None, error_message(error))
                if self._format.includes_errors:
                    self._write(self._format.row(row))
                    self._unprinted += 1
                else:
                    print_error(f"{self._origin(self._tally.done)}{row.error}")
                self._tally.refused += 1
            else:
                self._take(columns)

    def finish(self) -> int:
        """Prints the counts; returns the exit code."""
        if not self._quiet:
            if self._lines is not None and self._tally.done >= MIN_FOR_SUMMARY:
                print_error(summary(self._tally, self._progress.seconds))
            elif self._unprinted:
                where = "in the field error" if self._format.includes_errors else "above"
                print_error(f"{counts(self._tally)}: see the messages {where}")
        return FAILURE if self._tally.refused else SUCCESS

    def _take(self, columns: Columns) -> None:
        refused = len(columns) - columns.statuses.count(0)
        if not refused or self._format.includes_errors:
            self._write(self._format.block(columns))
            self._unprinted += refused
        else:
            self._write_and_print(columns)
        self._tally.refused += refused
        self._tally.answered += len(columns) - refused

    def _write_and_print(self, columns: Columns) -> None:
        """Writes answers and prints refused questions, in the order of the input."""
        start, number = 0, self._tally.done
        for row, status in enumerate(columns.statuses):
            if not status:
                continue
            if not self._errors_left:
                self._unprinted += 1
                continue
            self._write(self._format.block(part(columns, start, row)))
            start = row
            self._progress.clear()
            [answer] = part(columns, row, row + 1).answers()
            print_error(f"{self._origin(number + row)}{one_line(str(answer.error))}")
            self._errors_left -= 1
            if not self._errors_left:
                print_error("further refused questions are only counted; --all-errors prints them")
        self._write(self._format.block(part(columns, start, len(columns))))

    def _origin(self, row: int) -> str:
        """Returns the prefix of a message about this question."""
        if self._lines is None or not self._show_origin:
            return ""
        return f"{one_line(self._lines.origin(row))}: "

    def _share(self) -> float | None:
        """Returns the share of the input that is done.

        Estimated as the share of bytes read, times the share of the lines read that are answered.
        """
        if self._lines is None or not self._lines.size or not self._lines.taken:
            return None
        return self._lines.bytes / self._lines.size * self._tally.done / self._lines.taken
