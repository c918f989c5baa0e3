"""Measurements: the result of a gate that judged a version once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seq2sum_serving.deployment.event_log import Verdict

Value = float | int | str | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """A gate's verdict, with the values that led to it."""

    gate: str
    """Name of the gate, as in the policy file: `golden`."""
    verdict: Verdict
    message: str
    """One line: the finding, the limit, and after a failure what to do."""
    values: Mapping[str, Value] = field(default_factory=dict)
    """Measured values by name, with the unit in the name: `p99_milliseconds`."""


def overall(measurements: Sequence[Measurement]) -> Verdict:
    """Returns Failed if any gate failed, else Inconclusive if any is; Error and Skipped pass."""
    verdicts = {measurement.verdict for measurement in measurements}
    for worst in (Verdict.FAILED, Verdict.INCONCLUSIVE):
        if worst in verdicts:
            return worst
    return Verdict.SUCCESSFUL
