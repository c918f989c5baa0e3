"""Gates `golden` and `disagreement`: a version's answers to questions with known answers.

The golden questions are part of the version. They are verified, not trusted: an answer in the file
that is not the sum of its question fails the version, just as a wrong answer of the model does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct
from seq2sum.addition import contract

from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.deployment.plain_text import one_line
from seq2sum_serving.gates.formatting import number, percent, sentence
from seq2sum_serving.gates.measurement import Measurement, Value
from seq2sum_serving.gates.policy import GatePolicy

FILE_NAME = "golden.json"
"""Below `assets.extra/` of a version folder."""
MIN_QUESTIONS = 100
"""All one-digit questions. With fewer, a good version can look bad and a bad one good."""
MAX_QUESTION_LENGTH = 1000
"""Characters. Python refuses to parse much longer numbers."""
MAX_EXAMPLES = 3
"""Wrong answers in a message; more do not fit on a line."""
EXPORT_AGAIN = "export another version under a new number with seq2sum-train export"
TRAIN_AGAIN = "train and publish a better version under a new number"


@dataclass(frozen=True, slots=True)
class Golden:
    """The golden questions of a version."""

    questions: tuple[bytes, ...]
    """Well-formed and distinct."""
    answers: tuple[str, ...]
    """The correct sum of each question."""


class _File(Struct):
    questions: tuple[str, ...]
    answers: tuple[str, ...]


def read(folder: Path) -> Golden:
    """Returns the golden questions in a version folder.

    Raises:
        Failed: The file is missing, malformed or incorrect, or has too few questions.
    """
    path = folder / "assets.extra" / FILE_NAME
    try:
        parsed = msgspec.json.decode(path.read_bytes(), type=_File)
    except FileNotFoundError as error:
        raise Failed(f"no golden questions at {path}: {EXPORT_AGAIN}") from error
    except OSError as error:
        raise Failed(f"cannot read the golden questions {path}: {error.strerror}") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        problem = one_line(str(error))
        raise Failed(f"invalid golden questions {path}: {problem}; {EXPORT_AGAIN}") from error
    if problem := _invalid(parsed.questions, parsed.answers):
        raise Failed(f"invalid golden questions {path}: {problem}; {EXPORT_AGAIN}")
    return Golden(tuple(question.encode() for question in parsed.questions), parsed.answers)


def _invalid(questions: Sequence[str], answers: Sequence[str]) -> str:
    """Returns what is wrong with golden questions; empty if they are valid."""
    if len(questions) != len(answers):
        return f"{len(questions):,} questions but {len(answers):,} answers"
    if len(set(questions)) < len(questions):
        return "a question occurs twice"
    if len(questions) < MIN_QUESTIONS:
        return f"{len(questions):,} questions, expected at least {MIN_QUESTIONS}"
    for question, answer in zip(questions, answers, strict=True):
        if not _correct(question, answer):
            shown = (one_line(text, max_characters=40) for text in (question, answer))
            return f"{' = '.join(map(repr, shown))} is wrong"
    return ""


def _correct(question: str, answer: str) -> bool:
    pair = contract.operands(question.encode(errors="replace"))
    if pair is None or len(question) > MAX_QUESTION_LENGTH:
        return False
    return str(int(pair[0]) + int(pair[1])) == answer


def judge(
    golden: Golden,
    candidate: Sequence[str | bytes],
    stable: Sequence[str | bytes] | None,
    policy: GatePolicy,
) -> list[Measurement]:
    """Judges both gates.

    Args:
        golden: The questions.
        candidate: The version's answers in the order of the questions, as text or as the bytes of
            a response; an empty one for no answer.
        stable: The stable version's answers; None without a stable version.
        policy: The limits.
    """
    candidate = _texts(candidate)
    stable = None if stable is None else _texts(stable)
    right = _right(golden, candidate)
    stable_right = None if stable is None else _right(golden, stable)
    return [
        _golden(golden, candidate, right, stable_right, policy),
        _disagreement(golden, candidate, stable, right, policy),
    ]


def _golden(
    golden: Golden,
    candidate: Sequence[str],
    right: list[bool],
    stable_right: list[bool] | None,
    policy: GatePolicy,
) -> Measurement:
    asked, good = len(right), sum(right)
    stable_good = None if stable_right is None else sum(stable_right)
    limits = policy.golden
    limit = f"golden.min_exact_match is {percent(limits.min_exact_match)}"
    problems = []
    if good / asked < limits.min_exact_match:
        problems.append(f"that is {percent(good / asked)}, and {limit}")
    # Counts are subtracted and not shares, so that a version exactly at the limit passes.
    if stable_good is not None and (stable_good - good) / asked > limits.max_drop:
        problems.append(
            f"that is {percent((stable_good - good) / asked)} less than stable, and "
            f"golden.max_drop is {percent(limits.max_drop)}"
        )
    first_wrong = _examples(golden, candidate, [i for i in range(asked) if not right[i]])
    message = f"{good:,} of {asked:,} golden questions right"
    if stable_good is not None:
        message += f", stable has {stable_good:,}"
    values: dict[str, Value] = {
        "questions": asked,
        "exact_match": good / asked,
        "stable_exact_match": None if stable_good is None else stable_good / asked,
        "first_wrong": first_wrong,
    }
    if not problems:
        return Measurement("golden", Verdict.SUCCESSFUL, f"{message}; {limit}", values)
    message = sentence(
        f"{message}: {'; '.join(problems)}",
        f"wrong answers: {first_wrong}" if first_wrong else "",
        TRAIN_AGAIN,
    )
    return Measurement("golden", Verdict.FAILED, message, values)


def _disagreement(
    golden: Golden,
    candidate: Sequence[str],
    stable: Sequence[str] | None,
    right: list[bool],
    policy: GatePolicy,
) -> Measurement:
    gate, asked, limit = "disagreement", len(right), policy.disagreement.max_share
    if stable is None:
        message = "no stable version to compare with"
        values: dict[str, Value] = {"questions": asked, "disagreements": None}
        return Measurement(gate, Verdict.SKIPPED, message, values)
    pairs = zip(candidate, stable, strict=True)
    different = [i for i, (now, before) in enumerate(pairs) if now != before]
    worse = [i for i in different if not right[i]]
    first_worse = _examples(golden, candidate, worse, stable)
    values = {
        "questions": asked,
        "differences": len(different),
        "disagreements": len(worse),
        "first_disagreements": first_worse,
    }
    message = (
        f"{number(len(worse))} of {asked:,} golden answers ({percent(len(worse) / asked)}) differ "
        f"from stable's and are wrong; disagreement.max_share is {percent(limit)}"
    )
    if len(worse) / asked <= limit:
        return Measurement(gate, Verdict.SUCCESSFUL, message, values)
    message = sentence(message, first_worse, TRAIN_AGAIN)
    return Measurement(gate, Verdict.FAILED, message, values)


def _texts(answers: Sequence[str | bytes]) -> list[str]:
    return [text if isinstance(text, str) else text.decode(errors="replace") for text in answers]


def _right(golden: Golden, answers: Sequence[str]) -> list[bool]:
    pairs = zip(answers, golden.answers, strict=True)
    return [given == correct for given, correct in pairs]


def _examples(
    golden: Golden,
    candidate: Sequence[str],
    indices: list[int],
    stable: Sequence[str] | None = None,
) -> str:
    """Returns the first few of these answers as text: `53+42 = 96 (not 95)`."""

    def shown(answer: str) -> str:
        return one_line(answer, max_characters=20) or "nothing"

    examples = [
        f"{golden.questions[i].decode()} = {shown(candidate[i])} "
        + (f"(stable: {shown(stable[i])})" if stable else f"(not {golden.answers[i]})")
        for i in indices[:MAX_EXAMPLES]
    ]
    more = len(indices) - len(examples)
    return ", ".join(examples) + (f" and {more:,} more" if more else "")
