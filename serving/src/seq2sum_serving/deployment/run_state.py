"""The open run according to the event log, and how far it has come.

`run` resumes it and `watch` shows it: both rely on `open_run` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from seq2sum_serving.deployment.event_log import Event, EventKind, Verdict

OTHER_COMMANDS = (EventKind.ROLLED_BACK, EventKind.RETIRED, EventKind.PROMOTED)
"""Events of commands other than `run`: for the version of an open run, they end that run."""
FAILURES = (EventKind.FAILED, EventKind.ROLLED_BACK, EventKind.ABORTED)


@dataclass(frozen=True, slots=True)
class StepProgress:
    """A step in progress."""

    weight: Any
    """The canary's weight, as recorded."""
    seconds: float
    """Length of the step."""
    elapsed: float
    """Elapsed seconds, at most `seconds`."""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run in progress, or one that was killed."""

    run: str
    """Its identifier in the event log."""
    version: int
    events: Sequence[Event] = ()
    """Its events, from `run started` on."""
    source: str = ""
    """The folder that it publishes; empty for a version that was on disk."""
    placement: str = ""
    """Where it judges the version; empty in a history without this detail."""
    router: str = ""
    """The router that it uses; empty in a history without this detail."""
    checked: bool = False
    """The version's files passed their gates."""
    loaded: bool = False
    """The version passed every gate that needs no traffic."""
    completed_weights: frozenset[int] = frozenset()
    """Weights of the completed steps, in percent."""
    promoted: bool = False
    """The promotion started."""
    failure: str = ""
    """Why the run was being aborted; empty if it was not."""

    @property
    def progress(self) -> str:
        """The last stage that it reached, as a sentence."""
        if self.failure:
            return "it was being aborted"
        if self.promoted:
            return "it was being promoted"
        if self.completed_weights:
            return f"it completed the step at {max(self.completed_weights)} %"
        if self.loaded:
            return "it passed the gates without traffic"
        return "its files passed their gates" if self.checked else "it had just started"

    @property
    def measurements(self) -> dict[str, Mapping[str, Any]]:
        """Details of the latest measurement of each gate, in the order of the first ones."""
        return {
            str(event.details.get("gate")): event.details
            for event in self.events
            if event.kind == EventKind.MEASUREMENT
        }

    def step_progress(self, now: str) -> StepProgress | None:
        """Returns the progress of the step at a time (ISO 8601); None outside of a step."""
        # Live gates are measured before a step completes.
        last = next(e for e in reversed(self.events) if e.kind != EventKind.MEASUREMENT)
        seconds = last.details.get("seconds")
        if last.kind != EventKind.STEP_STARTED or not isinstance(seconds, int | float):
            return None
        try:
            elapsed = datetime.fromisoformat(now) - datetime.fromisoformat(last.time)
        except (TypeError, ValueError):
            return None
        if not seconds > 0:
            return None
        elapsed_seconds = min(max(elapsed.total_seconds(), 0), seconds)
        return StepProgress(last.details.get("weight"), seconds, elapsed_seconds)


def open_run(events: Sequence[Event]) -> OpenRun | None:
    """Returns the run that started last; None if it has ended."""
    starts = [i for i, event in enumerate(events) if event.kind == EventKind.RUN_STARTED]
    if not starts:
        return None
    first, later = events[starts[-1]], events[starts[-1] :]
    if first.version is None or any(_ends(event, first) for event in later):
        return None
    own = [event for event in (events if first.run else later) if event.run == first.run]
    failures = [event.reason for event in own if event.kind in FAILURES]
    return OpenRun(
        first.run,
        first.version,
        own,
        str(first.details.get("from", "")),
        str(first.details.get("placement", "")),
        str(first.details.get("router", "")),
        checked=any(event.kind == EventKind.FILES_PASSED for event in own),
        loaded=any(event.kind == EventKind.ANALYSIS_PASSED for event in own),
        completed_weights=frozenset(
            event.details.get("weight", 0)
            for event in own
            if event.kind == EventKind.STEP_COMPLETED
        ),
        promoted=any(event.kind == EventKind.PROMOTED for event in own),
        failure=failures[0] if failures else "",
    )


def _ends(event: Event, start: Event) -> bool:
    if event.run == start.run:
        return event.kind == EventKind.RUN_ENDED
    return event.version == start.version and event.kind in OTHER_COMMANDS


def unfinished_publish(events: Sequence[Event], folder: str) -> int | None:
    """Returns the version that a `run` of this folder started to publish and has not finished.

    After an inconclusive run, the next run judges that version again. After a kill in the middle
    of an abort, the next run completes the abort.
    """
    for index, event in reversed(list(enumerate(events))):
        if event.kind == EventKind.PUBLISH_STARTED and event.details.get("from") == folder:
            later = [each for each in events[index:] if each.version == event.version]
            return None if any(map(_finishes, later)) else event.version
    return None


def _finishes(event: Event) -> bool:
    """Returns whether no run resumes the version after this event."""
    if event.run:
        return (
            event.kind == EventKind.RUN_ENDED
            and event.details.get("outcome") != Verdict.INCONCLUSIVE
        )
    return event.kind in (EventKind.RUN_ENDED, EventKind.FAILED, *OTHER_COMMANDS)
