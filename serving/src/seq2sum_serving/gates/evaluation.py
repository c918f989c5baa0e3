"""Gate `evaluation`: judges the evaluation that was recorded at the export of a version.

An export may write into the version's contract how many errors the model made, and whether it was
exported by force. Versions without this are judged by their golden requests alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.formatting import percent, sentence
from seq2sum_serving.gates.measurement import Measurement, Value
from seq2sum_serving.gates.policy import GoldenPolicy

GATE = "evaluation"
ADVICE = "train and publish a better version under a new number"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The recorded evaluation of one version."""

    inputs: int
    """Number of inputs; `questions` in the file."""
    errors: int
    """Number of these with a wrong result."""
    exhaustive: bool
    """Whether these were all possible inputs, and not a random sample."""

    @property
    def accuracy(self) -> float:
        """Share of the inputs with the right result."""
        return (self.inputs - self.errors) / self.inputs


def judge(
    candidate: Mapping[str, Any] | None, stable: Mapping[str, Any] | None, policy: GoldenPolicy
) -> Measurement:
    """Judges the recorded evaluation.

    Args:
        candidate: The version's contract as JSON values; None if it has none.
        stable: The stable version's; None if it has none.
        policy: The limits.
    """
    parsed = candidate or {}
    problems = [_forced(parsed.get("golden"))] if parsed.get("forced") else []
    try:
        found = recorded(parsed)
    except ValueError as error:
        return Measurement(GATE, Verdict.FAILED, f"{error}. Export the version again")
    if found is None:
        if problems:
            return Measurement(GATE, Verdict.FAILED, sentence(problems[0], ADVICE))
        message = (
            "the export recorded no evaluation: the version is judged by golden requests alone"
        )
        return Measurement(GATE, Verdict.SKIPPED, message)
    before = _comparable(found, stable)
    message = _message(found, before)
    problems += _problems(found, before, policy)
    values: dict[str, Value] = {
        "inputs": found.inputs,
        "errors": found.errors,
        "errors_per_million": 1e6 * found.errors / found.inputs,
        "stable_errors": None if before is None else before.errors,
    }
    if problems:
        message = sentence(f"{message}: {'; '.join(problems)}", ADVICE)
        return Measurement(GATE, Verdict.FAILED, message, values)
    message = f"{message}; golden.min_accuracy is {percent(policy.min_accuracy)}"
    return Measurement(GATE, Verdict.SUCCESSFUL, message, values)


def recorded(parsed: Mapping[str, Any]) -> Evaluation | None:
    """Returns the evaluation in a contract; None if it has none.

    Raises:
        ValueError: The evaluation is not in the format that an export writes.
    """
    if "evaluation" not in parsed:
        return None
    match parsed["evaluation"]:
        case {"questions": int(questions), "errors": int(errors), "exhaustive": bool(exhaustive)}:
            if 0 <= errors <= questions and questions > 0:
                return Evaluation(questions, errors, exhaustive)
    raise ValueError("the evaluation in the version's contract is not valid")


def _comparable(found: Evaluation, stable: Mapping[str, Any] | None) -> Evaluation | None:
    """Returns the evaluation of stable if it covered the same inputs."""
    try:
        before = recorded(stable or {})
    except ValueError:
        return None
    if before is None or before.inputs != found.inputs:
        return None
    return before if found.exhaustive and before.exhaustive else None


def _message(found: Evaluation, before: Evaluation | None) -> str:
    kind = "(exhaustive)" if found.exhaustive else "(random sample)"
    message = f"{found.errors:,} errors in {found.inputs:,} inputs {kind} at export"
    return message if before is None else f"{message}; stable had {before.errors:,}"


def _problems(found: Evaluation, before: Evaluation | None, policy: GoldenPolicy) -> list[str]:
    """Returns a text for each limit that the evaluation does not meet."""
    problems = []
    if found.accuracy < policy.min_accuracy:
        problems.append(
            f"accuracy is {percent(found.accuracy)}, and golden.min_accuracy is "
            f"{percent(policy.min_accuracy)}"
        )
    # Counts are subtracted and not shares, so that a version exactly at the limit passes.
    if before and (found.errors - before.errors) / found.inputs > policy.max_drop:
        drop = percent((found.errors - before.errors) / found.inputs)
        problems.append(
            f"that is {drop} less than stable, and golden.max_drop is {percent(policy.max_drop)}"
        )
    return problems


def _forced(golden: object) -> str:
    match golden:
        case {"right": int(right), "questions": int(questions)}:
            return f"exported by force with {right:,} of {questions:,} golden requests right"
    return "exported by force although it answered golden requests wrongly"
