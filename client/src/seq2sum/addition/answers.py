"""What callers get back for questions: one answer, or many by column."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

from seq2sum._errors import InvalidQuestion
from seq2sum.addition import contract

LONGEST_SHOWN = 60
"""Characters of a bad question that an error message repeats."""

Question = str | bytes


class Answer(NamedTuple):
    """What one model version says about one question.

    A tuple and not a dataclass, because bulk calls make hundreds of thousands a second: a
    frozen dataclass takes six times as long to make.
    """

    question: Question
    """The question as it was asked."""
    text: str
    """The network's answer in decimal; empty if there is an `error`. Bytes that are not UTF-8, of
    which no seq2sum model answers any, come as `errors="surrogateescape"` decodes them."""
    confidence: float
    """The probability that the network gives to this whole answer, 0 to 1."""
    version: int
    """The model version that answered."""
    error: InvalidQuestion | None = None
    """Why there is no answer, or None."""

    @property
    def value(self) -> int | None:
        """The answer as a number; None if there is none or the network wrote no number."""
        return _number(self.text)

    def __repr__(self) -> str:
        """The fields that matter to a reader."""
        end = f", error={self.error}" if self.error else ""
        return (
            f"Answer(question={self.question!r}, text={self.text!r}, value={self.value}, "
            f"confidence={self.confidence:.4f}, version={self.version}{end})"
        )


@dataclass(frozen=True, slots=True)
class Columns:
    """Answers by column, a row for each question: no object a row, for callers in a hurry."""

    questions: Sequence[Question]
    """As they were asked."""
    texts: Sequence[bytes]
    """The network's answers in decimal; empty where `statuses` is not 0."""
    confidences: Sequence[float]
    """The probability that the network gives to each whole answer; 0 where there is none."""
    statuses: Sequence[int]
    """A `contract.Status` for each question: 0 for an answer."""
    versions: Sequence[int]
    """The model version that answered. A long call may span a change of versions."""

    def __len__(self) -> int:
        """How many questions were asked."""
        return len(self.questions)

    @property
    def values(self) -> list[int | None]:
        """The answers as numbers; None where there is none, or the network wrote no number."""
        try:
            return [int(text) if text.isdigit() else None for text in self.texts]
        except ValueError:  # one is too long
            return list(map(_number, self.texts))

    def answers(self) -> list[Answer]:
        """The same by row."""
        return list(self)

    def __iter__(self) -> Iterator[Answer]:
        """The same by row, each made when it is asked for.

        Whoever lets go of one before the next keeps Python's garbage collector out of it: to go
        over thousands of live answers takes it as long as to make them.
        """
        texts = _decoded(self.texts)
        if not any(self.statuses):
            rows = zip(self.questions, texts, self.confidences, self.versions, repeat(None))
            # What Answer._make does, a third of its time without a Python call for each.
            return map(tuple.__new__, repeat(Answer), rows)
        columns = zip(
            self.questions, texts, self.confidences, self.statuses, self.versions, strict=True
        )
        return (
            Answer(question, "", 0.0, version, refusal(question, status, version))
            if status
            else Answer(question, text, confidence, version)
            for question, text, confidence, status, version in columns
        )

    @classmethod
    def joined(cls, parts: Iterable[Columns]) -> Columns:
        """Several one after the other, as one."""
        whole = cls([], [], array("f"), array("i"), array("q"))
        for part in parts:
            for column in ("questions", "texts", "confidences", "statuses", "versions"):
                getattr(whole, column).extend(getattr(part, column))
        return whole


def refusal(question: object, status: int, version: int) -> InvalidQuestion:
    """Why a question of this status has no answer."""
    shown = repr(question[: LONGEST_SHOWN + 1] if isinstance(question, str | bytes) else question)
    if len(shown) > LONGEST_SHOWN:
        shown = f"{shown[:LONGEST_SHOWN]}…"
    if status == contract.Status.TOO_LONG:
        return InvalidQuestion(
            f"{shown} is too long: an operand has more digits than model version {version} knows"
        )
    return InvalidQuestion(f"{shown} is not a question: write two numbers like '53+42'")


def _decoded(texts: Sequence[bytes]) -> list[str]:
    """All of them in one go, which takes a third of the time. No byte is lost."""
    found = b"\n".join(texts).decode("utf-8", "surrogateescape").split("\n")
    if len(found) == len(texts):
        return found
    # one has a line end, or none is
    return [text.decode("utf-8", "surrogateescape") for text in texts]


def _number(text: str | bytes) -> int | None:
    """The number in decimal; None for anything else, and for more digits than Python reads."""
    if not (text.isascii() and text.isdigit()):
        return None
    try:
        return int(text)
    except ValueError:
        return None
