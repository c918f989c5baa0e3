"""The open run as `watch` shows it: its gates, and the bake that it is in. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seq2sum_serving.console.numbers import measured
from seq2sum_serving.console.timestamps import seconds_between
from seq2sum_serving.deployment.event_log import Event, EventKind
from seq2sum_serving.deployment.run_state import open_run


@dataclass(frozen=True, slots=True)
class Bake:
    """The wait under part of the traffic."""

    weight: Any
    """What the version on trial gets, as recorded."""
    seconds: float
    """How long it is to last."""
    passed: float
    """How much of that has passed, in seconds; never more than all."""


@dataclass(frozen=True, slots=True)
class Underway:
    """A run that began and has not ended."""

    began: Event
    """Its first event."""
    gates: Sequence[tuple[str, str, str]]
    """Gate, verdict and text: of each gate the latest, in the order of their first."""
    bake: Bake | None
    """The bake that it is in; None if it is in none."""


def underway(events: Sequence[Event], *, now: str) -> Underway | None:
    """Returns the open run; None if no run is open."""
    run = open_run(events)
    if run is None:
        return None
    gates = {
        str(event.details.get("gate")): (
            str(event.details.get("gate")),
            str(event.details.get("verdict")),
            measured(event.details),
        )
        for event in run.events
        if event.kind == EventKind.MEASUREMENT
    }
    # Gates that look at live traffic report in the middle of a bake.
    last = next(event for event in reversed(run.events) if event.kind != EventKind.MEASUREMENT)
    bake = _bake(last, now) if last.kind == EventKind.STEP_STARTED else None
    began = next(event for event in run.events if event.kind == EventKind.RUN_STARTED)
    return Underway(began, list(gates.values()), bake)


def _bake(event: Event, now: str) -> Bake | None:
    seconds = event.details.get("seconds")
    passed = seconds_between(event.time, now)
    if not isinstance(seconds, int | float) or not seconds > 0 or passed is None:
        return None
    return Bake(event.details.get("weight"), seconds, min(max(passed, 0), seconds))
