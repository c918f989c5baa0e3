"""Combines measurements: one per gate over all replicas, a line of text, or one error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from seq2sum_serving.deployment.errors import Inconclusive, VersionFailed
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.measurement import Measurement


def worst_by_gate(by_replica: Mapping[str, Sequence[Measurement]]) -> list[Measurement]:
    """Returns one measurement for each gate: the first that is not successful, with its replica."""
    found: dict[str, Measurement] = {}
    for target, measurements in by_replica.items():
        for measurement in measurements:
            known = found.get(measurement.gate)
            if measurement.verdict is Verdict.SUCCESSFUL:
                found.setdefault(measurement.gate, measurement)
            elif known is None or known.verdict is Verdict.SUCCESSFUL:
                found[measurement.gate] = replace(
                    measurement, message=f"{target}: {measurement.message}"
                )
    return list(found.values())


def format_measurement(measurement: Measurement) -> str:
    """Formats a measurement as a line of progress."""
    return f"  {measurement.verdict:<12} {measurement.gate}: {measurement.message}"


def raise_failed(measurements: Sequence[Measurement]) -> None:
    """Raises an error if a gate failed.

    Raises:
        VersionFailed: With the message of the first failed gate, and the names of the others.
    """
    failed = [measurement for measurement in measurements if measurement.verdict is Verdict.FAILED]
    if failed:
        first, *others = failed
        names = (
            f" Also failed: {', '.join(measurement.gate for measurement in others)}."
            if others
            else ""
        )
        raise VersionFailed(f"{first.gate}: {first.message}.{names}")


def raise_failed_or_inconclusive(measurements: Sequence[Measurement], advice: str = "") -> None:
    """Raises an error if a gate failed or is inconclusive.

    Args:
        measurements: The measurements.
        advice: Added to the message if gates are inconclusive.

    Raises:
        VersionFailed: As for `raise_failed`.
        Inconclusive: With the messages of all inconclusive gates.
    """
    raise_failed(measurements)
    if found := inconclusive(measurements):
        messages = "; ".join(f"{each.gate}: {each.message}" for each in found)
        raise Inconclusive(f"{messages}. {advice}" if advice else messages)


def inconclusive(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Returns the measurements of gates that are inconclusive."""
    return [each for each in measurements if each.verdict is Verdict.INCONCLUSIVE]
