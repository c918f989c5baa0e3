"""The result of a single round as a table or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from seq2sum_serving.console.text import headed_table, literal
from seq2sum_serving.deployment.plain_text import first_line
from seq2sum_serving.deployment.state import Replica
from seq2sum_serving.gates.formatting import milliseconds
from seq2sum_serving.probe.findings import Finding, config_drift
from seq2sum_serving.probe.observation import OK, Call, Observation, Observations
from seq2sum_serving.probe.prober import UNKNOWN_MODEL

NOTHING = "-"


def table(observations: Observations) -> RenderableType:
    """Returns a table with a row for each replica and label, and for each model."""
    grid = headed_table()
    several = len(observations) > 1
    certificates = any(each.certificates for each in observations.values())
    for heading in (*(("model",) if several else ()), "replica", "label"):
        grid.add_column(heading, no_wrap=True)
    for heading in ("version", "desired", "correct", "ms"):
        grid.add_column(heading, justify="right", no_wrap=True)
    if certificates:
        grid.add_column("certificate expires", no_wrap=True)
    for model, observation in observations.items():
        for replica in observation.replicas:
            labels = [label for target, label in observation.calls if target == replica.target]
            for label in labels or [NOTHING]:
                row = _row(observation, replica, label)
                grid.add_row(*([literal(model)] if several else []), *row)
    return grid


def as_json(observations: Observations, findings: Sequence[Finding]) -> dict[str, Any]:
    """Returns the whole round as JSON values."""
    return {
        "models": {
            model: _model(observation)
            for model, observation in observations.items()
            if model != UNKNOWN_MODEL
        },
        "problems": [finding.text for finding in findings if not finding.note],
        "notes": [finding.text for finding in findings if finding.note],
        "seconds": round(max(each.seconds for each in observations.values()), 3),
    }


def _model(observation: Observation) -> dict[str, Any]:
    recorded, weights = observation.recorded, observation.weights
    return {
        "labels": None if recorded is None else dict(recorded.labels),
        "replicas": [_replica(observation, replica) for replica in observation.replicas],
        "weights": None if weights is None else dict(weights),
        "drift": None if recorded is None else config_drift(observation),
        "input_errors": dict(observation.input_errors),
    }


def _row(observation: Observation, replica: Replica, label: str) -> list[Text]:
    calls = observation.calls.get((replica.target, label), ())
    desired = observation.recorded.labels.get(label) if observation.recorded else None
    seconds = _median_seconds(calls)
    cells = [
        literal(replica.target),
        literal(label),
        _number(replica.labels.get(label)),
        _number(desired),
        _correct(calls),
        literal(NOTHING if seconds is None else milliseconds(seconds)),
    ]
    certificate = observation.certificates.get(replica.target)
    if certificate is not None:
        cells.append(literal(_date(certificate.not_after) or NOTHING))
    return cells


def _number(version: int | None) -> Text:
    return literal(NOTHING if version is None else version)


def _correct(calls: Sequence[Call]) -> Text:
    """Returns `3 of 3`, the status code of the call that failed, or `-` if nothing was compared."""
    failed = [call.code for call in calls if call.code != OK]
    if failed or not calls:
        return literal(failed[0] if failed else NOTHING, "red")
    compared = [call for call in calls if call.compared]
    if not compared:
        return literal(NOTHING)
    correct = sum(not call.difference for call in compared)
    return literal(f"{correct} of {len(compared)}", "" if correct == len(compared) else "red")


def _median_seconds(calls: Sequence[Call]) -> float | None:
    """Returns the median duration of the successful calls; None if all failed."""
    durations = [call.seconds for call in calls if call.code == OK]
    return median(durations) if durations else None


def _date(timestamp: float | None) -> str | None:
    return None if timestamp is None else f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d}"


def _replica(observation: Observation, replica: Replica) -> dict[str, Any]:
    certificate = observation.certificates.get(replica.target)
    return {
        "target": replica.target,
        "up": replica.up,
        "error": first_line(replica.error) if replica.error else "",
        "versions": {str(n): entry.state.name for n, entry in sorted(replica.versions.items())},
        "labels": dict(replica.labels),
        "golden": {
            label: {
                "answers": len(observation.answers(target, label)),
                "wrong_answers": len(observation.wrong_answers(target, label)),
                "failed": [call.code for call in calls if call.code != OK],
                "seconds": _median_seconds(calls),
            }
            for (target, label), calls in observation.calls.items()
            if target == replica.target
        },
        "certificate_expires": _date(certificate.not_after) if certificate else None,
    }
