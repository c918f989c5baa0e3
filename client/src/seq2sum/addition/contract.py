"""The serving contract: the syntax of questions, and the signatures of a model version.

The only definition of it: training writes it into every version, gates compare versions by it, and
the client relies on it. It imports nothing but the standard library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from operator import index
from typing import Any

CONTRACT_VERSION = 2
"""The format of `contract.json`, which any model may have."""

MODEL_NAME = "seq2sum"
"""The default name of the model."""

ALPHABET = " +0123456789"
"""The network's characters in sorted order; a character's index is its token id."""

QUESTION = re.compile(rb"([0-9]+)\+([0-9]+) *")
"""A well-formed question, for `fullmatch`: two numbers, a plus, trailing spaces."""

FILE_NAME = "contract.json"
"""The file of a version directory, below `assets.extra/`, that holds `describe(...)`."""


class Status(IntEnum):
    """The outcome for one question; a row of the output tensor `status`."""

    OK = 0
    """The question was understood and answered."""
    MALFORMED = 1
    """The bytes are not `a+b`."""
    TOO_LONG = 2
    """An operand has more digits, as written, than this model version accepts."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One named tensor of a signature."""

    name: str
    """The alias that requests and replies use."""
    dtype: str
    """TensorFlow's DataType name."""
    shape: tuple[str, ...]
    """Names of the dimensions: `rows` varies per call, the others are fixed for a version."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of a model version."""

    name: str
    """The signature's name in the SavedModel."""
    outputs: tuple[Tensor, ...]
    """The output tensors, one row for each question."""


QUESTIONS = Tensor("questions", "DT_STRING", ("rows",))
"""The only input of every signature."""
ANSWERS = Tensor("answers", "DT_STRING", ("rows",))
"""Decimal text; empty where `status` is not OK."""
CONFIDENCE = Tensor("confidence", "DT_FLOAT", ("rows",))
"""The probability that the network gives to the whole answer."""
STATUS = Tensor("status", "DT_INT32", ("rows",))
"""A `Status` for each question."""
PROBABILITIES = Tensor("probabilities", "DT_FLOAT", ("rows", "answer_length", "characters"))
"""For each position of the answer, from left to right, a distribution over `ALPHABET`."""
TOKEN_IDS = Tensor("token_ids", "DT_INT32", ("rows", "answer_length"))
"""The most probable character of each position."""
ONE_HOT = Tensor("one_hot", "DT_FLOAT", ("rows", "steps", "vocabulary"))
"""The network's input, one encoder step after the other."""

DEFAULT = Signature("serving_default", (ANSWERS, CONFIDENCE, STATUS))
"""Text answers: the smallest reply and the fastest."""
DETAILED = Signature("probabilities", (PROBABILITIES, TOKEN_IDS, STATUS))
"""Probabilities for every position of the answer."""
PREPROCESSED = Signature("one_hot", (ONE_HOT,))
"""The string-to-one-hot preprocessing itself, for inspection."""
SIGNATURES = (DEFAULT, DETAILED, PREPROCESSED)

RULES = {"digits": "not_smaller", "alphabet": "equal", "status": "equal"}
"""Rules by which later versions keep the values of `extra` in `contract.json`."""


def operands(question: bytes) -> tuple[bytes, bytes] | None:
    """Returns both operands as written, or None for a malformed question."""
    match = QUESTION.fullmatch(question)
    return (match[1], match[2]) if match else None


def status_of(question: bytes, *, digits: int) -> Status:
    """Returns the status of a question for a version that accepts operands of `digits` digits.

    Leading zeros are allowed and do not change an answer, but they count as digits.
    """
    return status_of_operands(operands(question), digits=digits)


def status_of_operands(pair: tuple[bytes, bytes] | None, *, digits: int) -> Status:
    """Returns the status for a result of `operands`."""
    if pair is None:
        return Status.MALFORMED
    return Status.OK if max(map(len, pair)) <= digits else Status.TOO_LONG


def answer_length(digits: int) -> int:
    """Returns the number of characters of the longest sum of two numbers of `digits` digits."""
    return digits + 1


def describe(*, digits: int, steps: int, vocabulary: int) -> dict[str, Any]:
    """Returns the contract of one model version as JSON values, for `assets.extra/contract.json`.

    Args:
        digits: The most digits an operand may have.
        steps: The encoder's steps for a question.
        vocabulary: The number of distinct tokens the encoder can read at a step.
    """
    digits, steps, vocabulary = map(
        index, (digits, steps, vocabulary)
    )  # numpy integers are not JSON
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
        "signatures": {
            signature.name: {
                "inputs": tensors((QUESTIONS,)),
                "outputs": tensors(signature.outputs),
            }
            for signature in SIGNATURES
        },
        "extra": {
            "digits": digits,
            "alphabet": ALPHABET,
            "status": {status.name: status.value for status in Status},
        },
        "rules": dict(RULES),
    }
