"""Answers to questions: one by one, or many by column."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

from seq2sum._errors import Seq2SumError
from seq2sum.addition import contract

LONGEST_SHOWN = 60
"""Characters of a bad question that an error message repeats."""

Question = str | bytes


class InvalidQuestion(Seq2SumError, ValueError):
    """The question is not `a+b`, or too long for the model version. Retrying does not help."""


class Answer(NamedTuple):
    """The answer of one model version to one question.

    A tuple rather than a dataclass, because bulk calls create hundreds of thousands a second: a
    frozen dataclass takes six times as long to create.
    """

    question: Question
    """The question as the caller gave it."""
    text: str
    """The network's answer in decimal; empty if there is an `error`. Bytes that are not UTF-8,
    which no seq2sum model returns, are decoded with `errors="surrogateescape"`."""
    confidence: float
    """The probability that the network gives to the whole answer, 0 to 1."""
    version: int
    """The model version that answered."""
    error: InvalidQuestion | None = None
    """The reason for a missing answer, or None."""

    @property
    def value(self) -> int | None:
        """The answer as a number; None if there is none or the network wrote no number."""
        return _number(self.text)

    def __repr__(self) -> str:
        """The fields, with the value and a rounded confidence."""
        error = f", error={self.error}" if self.error else ""
        return (
            f"Answer(question={self.question!r}, text={self.text!r}, value={self.value}, "
            f"confidence={self.confidence:.4f}, version={self.version}{error})"
        )


@dataclass(frozen=True, slots=True)
class Columns:
    """Answers by column, one row for each question. No object is created for a row."""

    questions: Sequence[Question]
    """As the caller gave them."""
    texts: Sequence[bytes]
    """The network's answers in decimal; empty where `statuses` is not 0."""
    confidences: Sequence[float]
    """The probability that the network gives to each whole answer; 0 where there is none."""
    statuses: Sequence[int]
    """A `contract.Status` for each question: 0 for an answer."""
    versions: Sequence[int]
    """The model versions that answered. They may differ if the version changes during a call."""

    def __len__(self) -> int:
        """The number of questions."""
        return len(self.questions)

    @property
    def values(self) -> list[int | None]:
        """The answers as numbers; None where there is none or the network wrote no number."""
        try:
            return [int(text) if text.isdigit() else None for text in self.texts]
        except ValueError:  # more digits than Python converts
            return list(map(_number, self.texts))

    def answers(self) -> list[Answer]:
        """Returns the rows as answers."""
        return list(self)

    def __iter__(self) -> Iterator[Answer]:
        """Yields the rows as answers, each created when it is taken.

        Drop an answer before taking the next where possible: Python's garbage collector spends as
        much time on thousands of live answers as it takes to create them.
        """
        if any(self.statuses):
            return map(self.answer, range(len(self)))
        texts = _decoded(self.texts)
        rows = zip(self.questions, texts, self.confidences, self.versions, repeat(None))
        # Like Answer._make, without a Python call for each row: a third of its time.
        return map(tuple.__new__, repeat(Answer), rows)

    def answer(self, row: int) -> Answer:
        """Returns a row as an answer."""
        question, version, status = self.questions[row], self.versions[row], self.statuses[row]
        if status:
            return Answer(question, "", 0.0, version, invalid_question(question, status, version))
        text = self.texts[row].decode("utf-8", "surrogateescape")
        return Answer(question, text, self.confidences[row], version)

    @classmethod
    def concat(cls, parts: Iterable[Columns]) -> Columns:
        """Returns the rows of all parts, in order."""
        whole = cls([], [], array("f"), array("i"), array("q"))
        for part in parts:
            for column in ("questions", "texts", "confidences", "statuses", "versions"):
                getattr(whole, column).extend(getattr(part, column))
        return whole


def invalid_question(question: object, status: int, version: int) -> InvalidQuestion:
    """Returns the error for a question that has a status other than OK."""
    shown = repr(question[: LONGEST_SHOWN + 1] if isinstance(question, str | bytes) else question)
    if len(shown) > LONGEST_SHOWN:
        shown = f"{shown[:LONGEST_SHOWN]}…"
    if status == contract.Status.TOO_LONG:
        return InvalidQuestion(
            f"{shown} is too long: an operand has more digits than model version {version} accepts"
        )
    return InvalidQuestion(f"{shown} is not a question: write two numbers like '53+42'")


def _decoded(texts: Sequence[bytes]) -> list[str]:
    """Decodes all texts at once, in a third of the time. No byte is lost."""
    decoded = b"\n".join(texts).decode("utf-8", "surrogateescape").split("\n")
    if len(decoded) == len(texts):
        return decoded
    # A text contains a newline, or the list is empty.
    return [text.decode("utf-8", "surrogateescape") for text in texts]


def _number(text: str | bytes) -> int | None:
    """Returns the decimal number; None for other text, and for more digits than Python converts."""
    if not (text.isascii() and text.isdigit()):
        return None
    try:
        return int(text)
    except ValueError:
        return None
