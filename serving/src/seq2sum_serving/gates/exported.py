"""The gate `golden` before a version is loaded: what its export says of its evaluation.

`seq2sum-train export` writes into the version's contract how many errors its network made when it
was asked every question there is, and whether it was published by force. An older version says
neither, and is judged by its golden questions alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.measurement import Measurement, Value
from seq2sum_serving.gates.policy import GoldenPolicy
from seq2sum_serving.gates.wording import percent, sentence

GATE = "golden"
BETTER = "train and publish a better version under a new number"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of one version."""

    questions: int
    """How many were asked."""
    errors: int
    """How many of them were answered wrongly."""
    exhaustive: bool
    """Whether these were all that there are."""

    @property
    def share(self) -> float:
        """The part that was answered right."""
        return (self.questions - self.errors) / self.questions


def judge(
    candidate: Mapping[str, Any] | None, stable: Mapping[str, Any] | None, policy: GoldenPolicy
) -> Measurement:
    """Judges what the export says.

    Args:
        candidate: The version's contract; None if it has none.
        stable: That of the stable version; None if it has none.
        policy: The limits.
    """
    told = candidate or {}
    problems, figures = [], dict[str, Value]()
    if told.get("forced"):
        problems.append(_forced(told.get("golden")))
    try:
        found = evaluation(told)
    except ValueError as error:
        return Measurement(GATE, Verdict.FAILED, f"{error}. Export the version anew")
    if found is None and not problems:
        text = (
            "the version does not say how many errors its network makes: it is judged by its "
            "golden questions alone"
        )
        return Measurement(GATE, Verdict.SKIPPED, text)
    text = ""
    if found is not None:
        before = _comparable(found, stable)
        text = _text(found, before)
        problems += _beyond(found, before, policy)
        figures = {
            "questions": found.questions,
            "errors": found.errors,
            "errors_per_million": 1e6 * found.errors / found.questions,
            "stable_errors": None if before is None else before.errors,
        }
    if problems:
        text = sentence(f"{text}: {'; '.join(problems)}" if text else problems[0], BETTER)
        return Measurement(GATE, Verdict.FAILED, text, figures)
    return Measurement(
        GATE, Verdict.SUCCESSFUL, f"{text}; golden.floor is {percent(policy.floor)}", figures
    )


def evaluation(told: Mapping[str, Any]) -> Evaluation | None:
    """Returns the figures in a contract; None if it has none.

    Raises:
        ValueError: They are not written as an export writes them.
    """
    if "evaluation" not in told:
        return None
    match told["evaluation"]:
        case {"questions": int(questions), "errors": int(errors), "exhaustive": bool(exhaustive)}:
            if 0 <= errors <= questions and questions > 0:
                return Evaluation(questions, errors, exhaustive)
    raise ValueError("the figures of the version's evaluation are not valid in its contract")


def _comparable(found: Evaluation, stable: Mapping[str, Any] | None) -> Evaluation | None:
    """Returns the figures of stable if both versions were asked the same questions."""
    try:
        before = evaluation(stable or {})
    except ValueError:
        return None
    if before is None or before.questions != found.questions:
        return None
    return before if found.exhaustive and before.exhaustive else None


def _text(found: Evaluation, before: Evaluation | None) -> str:
    kind = "questions, all there are" if found.exhaustive else "random questions"
    text = f"{found.errors:,} errors in {found.questions:,} {kind}, when it was exported"
    return text if before is None else f"{text}; stable had {before.errors:,}"


def _beyond(found: Evaluation, before: Evaluation | None, policy: GoldenPolicy) -> list[str]:
    """Returns which limits the figures are beyond."""
    problems = []
    if found.share < policy.floor:
        problems.append(
            f"that is {percent(found.share)} right, and golden.floor is {percent(policy.floor)}"
        )
    # Counts are subtracted and not shares, so that a version exactly at the limit passes.
    if before and (found.errors - before.errors) / found.questions > policy.drop:
        more = percent((found.errors - before.errors) / found.questions)
        problems.append(
            f"that is {more} less than stable, and golden.drop is {percent(policy.drop)}"
        )
    return problems


def _forced(golden: object) -> str:
    match golden:
        case {"right": int(right), "questions": int(questions)}:
            return f"exported by force with {right:,} of {questions:,} golden questions right"
    return "exported by force although it answered golden questions wrongly"
