"""What a gate found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Figure = float | int | str | None


class Verdict(StrEnum):
    """Of one gate, or of all of them together."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    """Too little was seen: a person decides."""
    UNKNOWN = "unknown"
    """Nothing could be measured, and the policy does not insist: it stops nothing."""


@dataclass(frozen=True, slots=True)
class Result:
    """One gate's verdict with the figures that led to it."""

    gate: str
    """Its name, as in the policy file: `golden`."""
    verdict: Verdict
    text: str
    """One line: what was found, the limit, and after a failure what to do."""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """What was measured, by name with the unit in it: `p99_milliseconds`."""


def overall(results: list[Result]) -> Verdict:
    """One failure fails all; without one, a single inconclusive gate leaves all open."""
    verdicts = {result.verdict for result in results}
    for worst in (Verdict.FAILED, Verdict.INCONCLUSIVE):
        if worst in verdicts:
            return worst
    return Verdict.PASSED
