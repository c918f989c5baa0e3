"""The serving contract: what a question is, and what a model version answers under which names.

One definition for everybody: training writes it into every version, servers carry it, the
client asks for it. It imports nothing beyond the standard library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from operator import index
from typing import Any

CONTRACT_VERSION = 1
"""Raised when a change would break a client that knows only the older contract."""

MODEL_NAME = "seq2sum"
"""The model's name wherever one is needed and none is given."""

ALPHABET = " +0123456789"
"""The network's characters in sorted order; a character's place is its token id."""

QUESTION = re.compile(rb"([0-9]+)\+([0-9]+) *")
"""A well-formed question, to be matched in full: two numbers, a plus, trailing spaces."""

FILE_NAME = "contract.json"
"""Where a version directory holds `describe(...)`, below `assets.extra/`."""


class Status(IntEnum):
    """What became of one question; a row of the output tensor `status`."""

    OK = 0
    """The question was understood and answered."""
    MALFORMED = 1
    """The bytes are not `a+b`."""
    TOO_LONG = 2
    """An operand has more digits, as written, than this model version knows."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One named tensor of a signature."""

    name: str
    """The alias that requests and replies use."""
    dtype: str
    """TensorFlow's DataType name."""
    shape: tuple[str, ...]
    """Dimensions by meaning: `rows` varies per call, the others belong to the version."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One way to ask a model version."""

    name: str
    """The signature's name in the SavedModel."""
    outputs: tuple[Tensor, ...]
    """What comes back, a row for each question."""


QUESTIONS = Tensor("questions", "DT_STRING", ("rows",))
"""The one input of every signature."""
ANSWERS = Tensor("answers", "DT_STRING", ("rows",))
"""Decimal text; empty where `status` is not OK."""
CONFIDENCE = Tensor("confidence", "DT_FLOAT", ("rows",))
"""The probability that the network gives to the whole answer."""
STATUS = Tensor("status", "DT_INT32", ("rows",))
"""A `Status` for each question."""
PROBABILITIES = Tensor("probabilities", "DT_FLOAT", ("rows", "answer_length", "characters"))
"""For each place of the answer, as it is read from left to right, over `ALPHABET`."""
TOKEN_IDS = Tensor("token_ids", "DT_INT32", ("rows", "answer_length"))
"""The most probable character of each place."""
ONE_HOT = Tensor("one_hot", "DT_FLOAT", ("rows", "steps", "vocabulary"))
"""What the network reads, one encoder step after the other."""

DEFAULT = Signature("serving_default", (ANSWERS, CONFIDENCE, STATUS))
"""Text answers: the smallest reply and the fastest."""
DETAILED = Signature("probabilities", (PROBABILITIES, TOKEN_IDS, STATUS))
"""What the network thinks about every place of the answer."""
PREPROCESSED = Signature("one_hot", (ONE_HOT,))
"""The string-to-one-hot preprocessing itself, for inspection."""
SIGNATURES = (DEFAULT, DETAILED, PREPROCESSED)


def operands(question: bytes) -> tuple[bytes, bytes] | None:
    """Both operands as written, or None for a malformed question."""
    match = QUESTION.fullmatch(question)
    return (match[1], match[2]) if match else None


def status_of(question: bytes, *, digits: int) -> Status:
    """The status that a version which knows operands of `digits` digits gives to `question`.

    Leading zeros are allowed and change no answer, but they are written digits and count.
    """
    return status_of_operands(operands(question), digits=digits)


def status_of_operands(pair: tuple[bytes, bytes] | None, *, digits: int) -> Status:
    """The same for what `operands` found."""
    if pair is None:
        return Status.MALFORMED
    return Status.OK if max(map(len, pair)) <= digits else Status.TOO_LONG


def answer_length(digits: int) -> int:
    """Characters of the longest sum of two numbers of `digits` digits."""
    return digits + 1


def describe(*, digits: int, steps: int, vocabulary: int) -> dict[str, Any]:
    """The contract of one model version as JSON-ready values, for `assets.extra/contract.json`.

    Args:
        digits: The most digits an operand may have.
        steps: The encoder's steps for a question.
        vocabulary: The distinct tokens the encoder can read at a step.
    """
    digits, steps, vocabulary = map(index, (digits, steps, vocabulary))  # numpy's are not JSON
    sizes = {
        "rows": -1,
        "answer_length": answer_length(digits),
        "characters": len(ALPHABET),
        "steps": steps,
        "vocabulary": vocabulary,
    }

    def tensors(group: tuple[Tensor, ...]) -> dict[str, Any]:
        return {t.name: {"dtype": t.dtype, "shape": [sizes[dim] for dim in t.shape]} for t in group}

    return {
        "contract": CONTRACT_VERSION,
        "model": MODEL_NAME,
        "digits": digits,
        "alphabet": ALPHABET,
        "status": {status.name: status.value for status in Status},
        "signatures": {
            signature.name: {
                "inputs": tensors((QUESTIONS,)),
                "outputs": tensors(signature.outputs),
            }
            for signature in SIGNATURES
        },
    }
