"""Answers as the rows of a text, a CSV or a JSON Lines file.

Blocks without a refused question are made column by column, in one expression each: this is
what a million of them costs. The rows of other blocks are made one by one, the same way.
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

from seq2sum._command.complaints import one_line, shown
from seq2sum.addition.answers import Answer, Columns

FIELDS = ("question", "answer", "confidence", "version", "error")

TEXT = "%s = %s  (confidence %.4f, version %d)\n"
JSON = '{"question": %s, "answer": %s, "confidence": %.7g, "version": %d, "error": null}\n'
confidence = "%.7g".__mod__
"""A confidence as a file has it: all that a float of 32 bits knows, and no more."""


class Row(NamedTuple):
    """One question and what became of it."""

    question: str
    """As it was asked; bytes that are no text are escaped."""
    answer: str | None
    """The network's answer, or None; bytes that are no text are escaped."""
    confidence: float | None
    """The probability of the whole answer, or None."""
    version: int | None
    """The version that answered or refused; None if none was reached."""
    error: str | None
    """Why there is no answer, or None."""

    @classmethod
    def of(cls, answer: Answer) -> Row:
        """The row of an answer, or of a question that was refused."""
        if answer.error is not None:
            error = one_line(str(answer.error))
            return cls(shown(answer.question), None, None, answer.version, error)
        known = answer.confidence if math.isfinite(answer.confidence) else None
        text = shown(answer.text.encode(errors="surrogateescape"))
        return cls(shown(answer.question), text, known, answer.version, None)


class Format(Protocol):
    """How answers are written."""

    header: str
    """What comes first."""
    tells_errors: bool
    """Whether a refused question has a row."""

    def block(self, columns: Columns) -> str:
        """The rows of many answers."""

    def row(self, row: Row) -> str:
        """One row, with its newline; empty if the question has none."""


class Text:
    """For a reader, and for `awk '{print $3}'`. Refused questions are told elsewhere."""

    header = ""
    tells_errors = False

    def block(self, columns: Columns) -> str:
        """The rows of many answers."""
        chosen = answered(columns) if any(columns.statuses) else columns
        if not plain(chosen):
            return "".join(map(self.row, rows(columns)))
        texts = decoded(chosen.texts)
        made = zip(chosen.questions, texts, chosen.confidences, chosen.versions, strict=True)
        text = "".join(map(TEXT.__mod__, made))
        if len(chosen) != text.count("\n") or not text.replace("\n", "").isprintable():
            # No model of ours answers such.
            return "".join(map(self.row, rows(columns)))
        return text

    def row(self, row: Row) -> str:
        """One row, with its newline; empty if the question has none."""
        if row.error is not None:
            return ""
        known = math.nan if row.confidence is None else row.confidence
        return TEXT % (one_line(row.question), one_line(row.answer or ""), known, row.version)


class Csv:
    """A header, a row a question, newlines as Unix tools take them."""

    header = ",".join(FIELDS) + "\n"
    tells_errors = True

    def block(self, columns: Columns) -> str:
        """The rows of many answers."""
        if plain(columns):
            known, texts = map(confidence, columns.confidences), decoded(columns.texts)
            text = _csv(zip(columns.questions, texts, known, columns.versions, repeat("")))
            if "\r" not in text:
                return text
        return "".join(map(self.row, rows(columns)))

    def row(self, row: Row) -> str:
        """One row, with its newline; empty if the question has none."""
        known = None if row.confidence is None else confidence(row.confidence)
        # Within a field readers take a lone carriage return for the end of the row.
        quoting = csv.QUOTE_ALL if "\r" in f"{row.question}{row.answer}" else csv.QUOTE_MINIMAL
        return _csv([row._replace(confidence=known)], quoting)  # type: ignore[arg-type]  # as text


class JsonLines:
    """A JSON object a line, pure ASCII."""

    header = ""
    tells_errors = True

    def block(self, columns: Columns) -> str:
        """The rows of many answers."""
        if not plain(columns):
            return "".join(map(self.row, rows(columns)))
        questions = map(quoted, columns.questions)  # type: ignore[arg-type]  # all are text
        texts = map(quoted, decoded(columns.texts))
        made = zip(questions, texts, columns.confidences, columns.versions, strict=True)
        return "".join(map(JSON.__mod__, made))

    def row(self, row: Row) -> str:
        """One row, with its newline; empty if the question has none."""
        if row.error is not None or row.confidence is None:
            return f"{json.dumps(row._asdict())}\n"
        return JSON % (quoted(row.question), quoted(row.answer or ""), *row[2:4])


FORMATS: dict[str, Format] = {"text": Text(), "csv": Csv(), "jsonl": JsonLines()}


def rows(columns: Columns) -> Iterator[Row]:
    """The rows one by one."""
    return map(Row.of, columns.answers())


def plain(columns: Columns) -> bool:
    """Whether every row is an answer to a text, with a number for its confidence."""
    return (
        not any(columns.statuses)
        and bytes not in set(map(type, columns.questions))
        and math.isfinite(sum(columns.confidences))
    )


def answered(columns: Columns) -> Columns:
    """The rows that have an answer."""
    chosen = [not status for status in columns.statuses]
    return Columns(
        list(compress(columns.questions, chosen)),
        list(compress(columns.texts, chosen)),
        list(compress(columns.confidences, chosen)),
        list(compress(columns.statuses, chosen)),
        list(compress(columns.versions, chosen)),
    )


def part(columns: Columns, start: int, stop: int) -> Columns:
    """Some of the rows."""
    cut = slice(start, stop)
    return Columns(
        columns.questions[cut],
        columns.texts[cut],
        columns.confidences[cut],
        columns.statuses[cut],
        columns.versions[cut],
    )


def decoded(texts: Sequence[bytes]) -> list[str]:
    """Answers as text, all of them at once; bytes that are no UTF-8 are written as escapes."""
    found = b"\n".join(texts).decode("utf-8", "backslashreplace").split("\n")
    if len(found) == len(texts):
        return found
    return list(map(shown, texts))  # there is a newline in one


def _csv(made: Iterable[Iterable[object]], quoting: int = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=quoting).writerows(made)  # type: ignore[arg-type]
    return text.getvalue()
