"""Answers as rows of text, CSV or JSON Lines.

Blocks of answers without errors, which determine the throughput, are formatted column by column in
one expression. The rows of other blocks are formatted one by one, with the same result.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, repeat
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple, Protocol

from seq2sum._command.errors import one_line, question_text
from seq2sum.addition.answers import Answer, Columns

FIELDS = ("question", "answer", "confidence", "version", "error")

TEXT = "%s = %s  (confidence %.4f, version %d)\n"
JSON = '{"question": %s, "answer": %s, "confidence": %.7g, "version": %d, "error": null}\n'
format_confidence = "%.7g".__mod__
"""Formats a confidence for a file, with the digits that a 32-bit float has."""


class Row(NamedTuple):
    """The result of one question."""

    question: str
    """The question; bytes that are not UTF-8 are escaped."""
    answer: str | None
    """The answer, or None; bytes that are not UTF-8 are escaped."""
    confidence: float | None
    """Probability of the whole answer; None without an answer, or if it is not finite."""
    version: int | None
    """Version that answered or refused; None if the call failed."""
    error: str | None
    """Reason for a missing answer, or None."""

    @classmethod
    def from_answer(cls, answer: Answer) -> Row:
        """Returns the row of an answer, which may have an error."""
        if answer.error is not None:
            error = one_line(str(answer.error))
            return cls(question_text(answer.question), None, None, answer.version, error)
        confidence = answer.confidence if math.isfinite(answer.confidence) else None
        text = question_text(answer.text.encode(errors="surrogateescape"))
        return cls(question_text(answer.question), text, confidence, answer.version, None)


class Format(Protocol):
    """An output format."""

    header: str
    """The first line, or empty."""
    includes_errors: bool
    """Whether a refused question has a row."""

    def block(self, columns: Columns) -> str:
        """Formats many answers."""

    def row(self, row: Row) -> str:
        """Formats one row, with its newline; empty if the question has no row."""


class Text:
    """Lines for people or for `awk '{print $3}'`, without refused questions."""

    header = ""
    includes_errors = False

    def block(self, columns: Columns) -> str:
        """Formats many answers."""
        chosen = answered(columns) if any(columns.statuses) else columns
        if not is_plain(chosen):
            return one_by_one(self, columns)
        texts = decode_texts(chosen.texts)
        cells = zip(chosen.questions, texts, chosen.confidences, chosen.versions, strict=True)
        text = "".join(map(TEXT.__mod__, cells))
        if len(chosen) != text.count("\n") or not text.replace("\n", "").isprintable():
            return one_by_one(self, columns)  # unprintable answers, which seq2sum models never give
        return text

    def row(self, row: Row) -> str:
        """Formats one row, with its newline; empty if the question has no row."""
        if row.error is not None:
            return ""
        confidence = math.nan if row.confidence is None else row.confidence
        return TEXT % (one_line(row.question), one_line(row.answer or ""), confidence, row.version)


class Csv:
    """A header and a row per question, with Unix newlines."""

    header = ",".join(FIELDS) + "\n"
    includes_errors = True

    def block(self, columns: Columns) -> str:
        """Formats many answers."""
        if is_plain(columns):
            confidences = map(format_confidence, columns.confidences)
            texts = decode_texts(columns.texts)
            text = _csv(zip(columns.questions, texts, confidences, columns.versions, repeat("")))
            if "\r" not in text:
                return text
        return one_by_one(self, columns)

    def row(self, row: Row) -> str:
        """Formats one row, with its newline; empty if the question has no row."""
        confidence = None if row.confidence is None else format_confidence(row.confidence)
        # Readers take an unquoted carriage return for the end of the row.
        quoting = csv.QUOTE_ALL if "\r" in f"{row.question}{row.answer}" else csv.QUOTE_MINIMAL
        cells = row._replace(confidence=confidence)  # type: ignore[arg-type]  # as text
        return _csv([cells], quoting)


class JsonLines:
    """A JSON object per line, in ASCII."""

    header = ""
    includes_errors = True

    def block(self, columns: Columns) -> str:
        """Formats many answers."""
        if not is_plain(columns):
            return one_by_one(self, columns)
        questions = map(quoted, columns.questions)  # type: ignore[arg-type]  # all are text
        texts = map(quoted, decode_texts(columns.texts))
        cells = zip(questions, texts, columns.confidences, columns.versions, strict=True)
        return "".join(map(JSON.__mod__, cells))

    def row(self, row: Row) -> str:
        """Formats one row, with its newline; empty if the question has no row."""
        if row.error is not None or row.confidence is None:
            return f"{json.dumps(row._asdict())}\n"
        return JSON % (quoted(row.question), quoted(row.answer or ""), *row[2:4])


FORMATS: dict[str, Format] = {"text": Text(), "csv": Csv(), "jsonl": JsonLines()}


def rows(columns: Columns) -> Iterator[Row]:
    """Returns an iterator over the rows."""
    return map(Row.from_answer, columns.answers())


def one_by_one(form: Format, columns: Columns) -> str:
    """Formats many answers row by row."""
    return "".join(map(form.row, rows(columns)))


def is_plain(columns: Columns) -> bool:
    """Returns whether all rows have an answer, a question of text and a finite confidence."""
    return (
        not any(columns.statuses)
        and bytes not in set(map(type, columns.questions))
        and math.isfinite(sum(columns.confidences))
    )


def answered(columns: Columns) -> Columns:
    """Returns the rows with an answer."""
    chosen = [not status for status in columns.statuses]
    return Columns(
        list(compress(columns.questions, chosen)),
        list(compress(columns.texts, chosen)),
        list(compress(columns.confidences, chosen)),
        list(compress(columns.statuses, chosen)),
        list(compress(columns.versions, chosen)),
    )


def part(columns: Columns, start: int, stop: int) -> Columns:
    """Returns a slice of the rows."""
    chosen = slice(start, stop)
    return Columns(
        columns.questions[chosen],
        columns.texts[chosen],
        columns.confidences[chosen],
        columns.statuses[chosen],
        columns.versions[chosen],
    )


def decode_texts(texts: Sequence[bytes]) -> list[str]:
    """Decodes answers, all at once; bytes that are not UTF-8 are escaped."""
    decoded = b"\n".join(texts).decode("utf-8", "backslashreplace").split("\n")
    if len(decoded) == len(texts):
        return decoded
    return list(map(question_text, texts))  # an answer has a newline


def _csv(cells: Iterable[Iterable[object]], quoting: int = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=quoting).writerows(cells)  # type: ignore[arg-type]
    return text.getvalue()
