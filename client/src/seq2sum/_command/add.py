"""`seq2sum add`: answers questions from arguments, files and pipes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable

from seq2sum._client import Client
from seq2sum._command.complaints import Mistake, complaint, one_line, shown, tell
from seq2sum._command.connection import asked, connected
from seq2sum._command.endings import DONE, FAILED
from seq2sum._command.lines import Lines, Source
from seq2sum._command.progress import Meter, Tally, counts, summary
from seq2sum._command.rows import FORMATS, Row, part
from seq2sum._command.sink import Write, opened
from seq2sum._command.terminal import is_terminal
from seq2sum._errors import CallError, Seq2SumError, UnexpectedResponse
from seq2sum.addition.answers import Columns, Question

ERRORS_SHOWN = 20
"""Refused questions that are told one by one; a file of the wrong kind has nothing else."""
BULK = 10_000
"""Questions from which on their rate means something."""
HINT = "write questions like 53+42, one a line; Ctrl-D ends"


def run(options: argparse.Namespace) -> int:
    """Does what the command line asks for; gives back the exit code."""
    if options.questions and options.input:
        raise Mistake("questions come as arguments or from --input, and not both ways")
    files = options.input or ["-"]
    at_keyboard = not options.questions and files == ["-"] and is_terminal(sys.stdin)
    lines = None if options.questions else Lines([Source.of(path) for path in files])
    with connected(options) as client, opened(options.output) as write:
        adding = Adding(
            client, write, options, lines=lines, place=_place(None if at_keyboard else lines)
        )
        if at_keyboard and not options.quiet:
            print(HINT, file=sys.stderr, flush=True)
        if at_keyboard or (lines is not None and options.line_buffered):
            adding.one_by_one(lines or options.questions)
        else:
            adding.bulk(lines or options.questions)
    return adding.told()


class Adding:
    """One run: what it writes and counts, and the refused questions that it tells.

    Args:
        client: Whom it asks.
        write: Where the rows go.
        options: The command line.
        lines: Where the questions come from, if that is no argument.
        place: What stands before a refused question, by its number.
    """

    def __init__(
        self,
        client: Client,
        write: Write,
        options: argparse.Namespace,
        *,
        lines: Lines | None,
        place: Callable[[int], str],
    ) -> None:
        self._client, self._write, self._call_options = client, write, asked(options)
        self._format = FORMATS[options.format]
        self._lines, self._place = lines, place
        self._left_to_tell = sys.maxsize if options.all_errors else ERRORS_SHOWN
        self._untold = 0
        self._quiet = options.quiet
        self._tally = Tally()
        wanted = lines is not None and not options.quiet
        self._meter = Meter(self._tally, self._share, stream=sys.stderr, wanted=wanted)

    def bulk(self, questions: Iterable[Question]) -> None:
        """Answers them as fast as the server can."""
        self._write(self._format.header)
        try:
            for columns in self._client.stream_columns(questions, **self._call_options):
                self._take(columns)
                self._meter.show()
        except Seq2SumError:
            self._meter.clear()
            if self._tally.done:
                tell(f"stopped after {self._tally.done:,} questions, because of this:")
            raise
        finally:
            self._meter.clear()

    def one_by_one(self, questions: Iterable[Question]) -> None:
        """Answers each before the next is read. A call that fails costs no other question."""
        self._left_to_tell = sys.maxsize
        self._write(self._format.header)
        for question in questions:
            try:
                columns = self._client.add_columns([question], **self._call_options)
            except (CallError, UnexpectedResponse) as error:
                row = Row(shown(question), None, None, None, complaint(error))
                if self._format.tells_errors:
                    self._write(self._format.row(row))
                    self._untold += 1
                else:
                    tell(f"{self._place(self._tally.done)}{row.error}")
                self._tally.refused += 1
            else:
                self._take(columns)

    def told(self) -> int:
        """Tells what there is to tell at the end; gives back the exit code."""
        if not self._quiet:
            if self._lines is not None and self._tally.done >= BULK:
                tell(summary(self._tally, self._meter.seconds))
            elif self._untold:
                where = "the field error says why" if self._format.tells_errors else "see above"
                tell(f"{counts(self._tally)}: {where}")
        return FAILED if self._tally.refused else DONE

    def _take(self, columns: Columns) -> None:
        refused = len(columns) - columns.statuses.count(0)
        if not refused or self._format.tells_errors:
            self._write(self._format.block(columns))
            self._untold += refused
        else:
            self._between(columns)
        self._tally.refused += refused
        self._tally.answered += len(columns) - refused

    def _between(self, columns: Columns) -> None:
        """Writes the answers, and tells each refused question at its place between them."""
        start, number = 0, self._tally.done
        for row, status in enumerate(columns.statuses):
            if not status:
                continue
            if not self._left_to_tell:
                self._untold += 1
                continue
            self._write(self._format.block(part(columns, start, row)))
            start = row
            self._meter.clear()
            [answer] = part(columns, row, row + 1).answers()
            tell(f"{self._place(number + row)}{one_line(str(answer.error))}")
            self._left_to_tell -= 1
            if not self._left_to_tell:
                tell("further refused questions are counted only; to see them all: --all-errors")
        self._write(self._format.block(part(columns, start, len(columns))))

    def _share(self) -> float | None:
        """How much of the input is answered: of what was read, the lines that are done."""
        if self._lines is None or not self._lines.size or not self._lines.taken:
            return None
        return self._lines.bytes / self._lines.size * self._tally.done / self._lines.taken


def _place(lines: Lines | None) -> Callable[[int], str]:
    return lambda row: "" if lines is None else f"{one_line(lines.origin(row))}: "
