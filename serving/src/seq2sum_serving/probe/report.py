"""A single round, for a person or a program."""

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
from seq2sum_serving.probe.findings import Problem, drift_sentences
from seq2sum_serving.probe.observation import ANSWERED, Call, Sight

NOTHING = "-"


def table(sight: Sight) -> RenderableType:
    """A row for each replica and label."""
    shown = headed_table()
    for heading in ("replica", "label"):
        shown.add_column(heading, no_wrap=True)
    for heading in ("version", "wanted", "right", "ms"):
        shown.add_column(heading, justify="right", no_wrap=True)
    if sight.certificates:
        shown.add_column("certificate until", no_wrap=True)
    for replica in sight.replicas:
        labels = [label for target, label in sight.calls if target == replica.target]
        for label in labels or [NOTHING]:
            shown.add_row(*_row(sight, replica, label))
    return shown


def as_json(sight: Sight, found: Sequence[Problem], *, model: str) -> dict[str, Any]:
    """All of it."""
    return {
        "model": model,
        "labels": None if sight.recorded is None else dict(sight.recorded.labels),
        "replicas": [_replica(sight, replica) for replica in sight.replicas],
        "weights": None if sight.weights is None else dict(sight.weights),
        "drift": None if sight.recorded is None else drift_sentences(sight),
        "sources": dict(sight.sources),
        "problems": [problem.text for problem in found if not problem.note],
        "notes": [problem.text for problem in found if problem.note],
        "seconds": round(sight.seconds, 3),
    }


def _row(sight: Sight, replica: Replica, label: str) -> list[Text]:
    calls = sight.calls.get((replica.target, label), ())
    wanted = sight.recorded.labels.get(label) if sight.recorded else None
    cells = [
        literal(replica.target),
        literal(label),
        _number(replica.labels.get(label)),
        _number(wanted),
        _right(calls),
        literal(milliseconds(took) if (took := _took(calls)) is not None else NOTHING),
    ]
    certificate = sight.certificates.get(replica.target)
    if certificate is not None:
        cells.append(literal(_day(certificate.not_after) or NOTHING))
    return cells


def _number(version: int | None) -> Text:
    return literal(NOTHING if version is None else version)


def _right(calls: Sequence[Call]) -> Text:
    """`3 of 3`, or how a call failed."""
    failed = [call.code for call in calls if call.code != ANSWERED]
    if failed or not calls:
        return literal(failed[0] if failed else NOTHING, "red")
    right = sum(call.said == call.expected for call in calls)
    return literal(f"{right} of {len(calls)}", "" if right == len(calls) else "red")


def _took(calls: Sequence[Call]) -> float | None:
    """The median of the calls that were answered."""
    answered = [call.seconds for call in calls if call.code == ANSWERED]
    return median(answered) if answered else None


def _day(moment: float | None) -> str | None:
    return None if moment is None else f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"


def _replica(sight: Sight, replica: Replica) -> dict[str, Any]:
    certificate = sight.certificates.get(replica.target)
    return {
        "target": replica.target,
        "up": replica.up,
        "error": first_line(replica.error) if replica.error else "",
        "versions": {str(n): entry.state.name for n, entry in sorted(replica.versions.items())},
        "labels": dict(replica.labels),
        "golden": {
            label: {
                "asked": sum(call.code == ANSWERED for call in calls),
                "wrong": len(sight.wrong(target, label)),
                "failed": [call.code for call in calls if call.code != ANSWERED],
                "seconds": _took(calls),
            }
            for (target, label), calls in sight.calls.items()
            if target == replica.target
        },
        "certificate_until": _day(certificate.not_after) if certificate else None,
    }
