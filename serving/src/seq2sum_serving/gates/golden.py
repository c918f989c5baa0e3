"""The gates `golden` and `disagreement`: what a version answers to questions of known answers.

The questions travel with the version. They are not taken on trust: an answer in the file that is
no true sum fails the version as a wrong answer of its own would.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2sum.addition import contract

from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.measurement import Measurement, Value
from seq2sum_serving.gates.policy import GatePolicy
from seq2sum_serving.gates.wording import number, one_line, percent, sentence

FILE_NAME = "golden.json"
"""Below `assets.extra/` of a version folder."""
FEWEST_QUESTIONS = 100
"""All that there are with one digit; fewer could not tell a good version from a bad one."""
LONGEST_QUESTION = 1000
"""Characters; Python refuses to read much longer numbers."""
SHOWN = 3
"""Wrong answers that are written out; more would not fit a line."""
ANOTHER = "export another version under a new number with seq2sum-train export"


@dataclass(frozen=True, slots=True)
class Golden:
    """The golden questions of a version."""

    questions: tuple[bytes, ...]
    """Each is well-formed, and no two are the same."""
    answers: tuple[str, ...]
    """The true sums, side by side with the questions."""


def read(folder: Path) -> Golden:
    """The golden questions in a version folder.

    Raises:
        Failed: They are missing, malformed, untrue or too few.
    """
    path = folder / "assets.extra" / FILE_NAME
    try:
        parsed = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise Failed(f"there are no golden questions at {path}: {ANOTHER}") from error
    except OSError as error:
        raise Failed(f"cannot read the golden questions {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Failed(f"{path} is not JSON: {one_line(str(error))}; {ANOTHER}") from error
    problem = _problem(parsed)
    if problem:
        raise Failed(f"the golden questions {path}: {problem}; {ANOTHER}")
    questions = tuple(question.encode() for question in parsed["questions"])
    return Golden(questions, tuple(parsed["answers"]))


def _problem(parsed: Any) -> str:
    """What is wrong with the file; empty if nothing is."""
    table: dict[str, Any] = parsed if isinstance(parsed, dict) else {}
    for name in ("questions", "answers"):
        texts = table.get(name)
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            return f"`{name}` is not there, or is no list of texts"
    questions, answers = table["questions"], table["answers"]
    if len(questions) != len(answers):
        return f"there are {len(questions):,} questions and {len(answers):,} answers"
    if len(set(questions)) < len(questions):
        return "a question is there twice"
    if len(questions) < FEWEST_QUESTIONS:
        return f"there are {len(questions):,} of them, and {FEWEST_QUESTIONS} is the least"
    for question, answer in zip(questions, answers, strict=True):
        if not _true(question, answer):
            shown = one_line(question, longest=40), one_line(answer, longest=40)
            return f"{shown[0]!r} = {shown[1]!r} is not true"
    return ""


def _true(question: str, answer: str) -> bool:
    pair = contract.operands(question.encode(errors="replace"))
    if pair is None or len(question) > LONGEST_QUESTION:
        return False
    return str(int(pair[0]) + int(pair[1])) == answer


def judge(
    golden: Golden,
    candidate: Sequence[str | bytes],
    stable: Sequence[str | bytes] | None,
    policy: GatePolicy,
) -> list[Measurement]:
    """Both gates.

    Args:
        golden: What was asked.
        candidate: The version's answers in the order of the questions, as text or as the bytes
            of a reply; empty for none.
        stable: The same of the stable version; None if there is none.
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
    problems = []
    if good / asked < limits.floor:
        problems.append(
            f"that is {percent(good / asked)}, and golden.floor is {percent(limits.floor)}"
        )
    # Counts are subtracted and not shares, so that a version exactly at the limit passes.
    if stable_good is not None and (stable_good - good) / asked > limits.drop:
        problems.append(
            f"that is {percent((stable_good - good) / asked)} less than stable, and golden.drop "
            f"is {percent(limits.drop)}"
        )
    wrong = [place for place in range(asked) if not right[place]]
    first_wrong = _written_out(golden, candidate, wrong)
    found = f"{good:,} of {asked:,} golden questions right" + (
        "" if stable_good is None else f", stable has {stable_good:,}"
    )
    figures: dict[str, Value] = {
        "questions": asked,
        "exact_match": good / asked,
        "stable_exact_match": None if stable_good is None else stable_good / asked,
        "first_wrong": first_wrong,
    }
    if not problems:
        text = f"{found}; golden.floor is {percent(limits.floor)}"
        return Measurement("golden", Verdict.SUCCESSFUL, text, figures)
    text = sentence(
        f"{found}: {'; '.join(problems)}",
        f"wrong are {first_wrong}" if first_wrong else "",
        "train and publish a better version under a new number",
    )
    return Measurement("golden", Verdict.FAILED, text, figures)


def _disagreement(
    golden: Golden,
    candidate: Sequence[str],
    stable: Sequence[str] | None,
    right: list[bool],
    policy: GatePolicy,
) -> Measurement:
    gate, asked, most = "disagreement", len(right), policy.disagreement.most
    if stable is None:
        text = "no stable version to compare with"
        return Measurement(gate, Verdict.SKIPPED, text, {"questions": asked, "disagreements": None})
    answers = zip(candidate, stable, strict=True)
    other = [place for place, (now, before) in enumerate(answers) if now != before]
    worse = [place for place in other if not right[place]]
    first_worse = _written_out(golden, candidate, worse, stable)
    figures: dict[str, Value] = {
        "questions": asked,
        "differences": len(other),
        "disagreements": len(worse),
        "first_disagreements": first_worse,
    }
    found = (
        f"on {number(len(worse))} of {asked:,} golden questions another answer than stable's that "
        f"is not right ({percent(len(worse) / asked)}); disagreement.most is {percent(most)}"
    )
    if len(worse) / asked <= most:
        return Measurement(gate, Verdict.SUCCESSFUL, found, figures)
    text = sentence(found, first_worse, "train and publish a better version under a new number")
    return Measurement(gate, Verdict.FAILED, text, figures)


def _texts(answers: Sequence[str | bytes]) -> list[str]:
    return [text if isinstance(text, str) else text.decode(errors="replace") for text in answers]


def _right(golden: Golden, answers: Sequence[str]) -> list[bool]:
    return [given == true for given, true in zip(answers, golden.answers, strict=True)]


def _written_out(
    golden: Golden, candidate: Sequence[str], places: list[int], stable: Sequence[str] | None = None
) -> str:
    """The first of these places as text: `53+42 = 96 (not 95)`."""

    def answer(text: str) -> str:
        return one_line(text, longest=20) or "nothing"

    written = [
        f"{golden.questions[place].decode()} = {answer(candidate[place])} "
        + (f"(stable: {answer(stable[place])})" if stable else f"(not {golden.answers[place]})")
        for place in places[:SHOWN]
    ]
    more = len(places) - len(written)
    return ", ".join(written) + (f" and {more:,} more" if more else "")
