"""The run that is open by the history, and how far it has come.

`run` goes on with it and `watch` shows it: both by `open_run` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seq2sum_serving.deployment.event_log import Event

PASSED = "passed"
"""`gates.results.Verdict.PASSED`, as the history records it."""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run under way, or killed."""

    run: str
    """Its name in the history."""
    version: int
    events: Sequence[Event] = ()
    """Its own, from its beginning on."""
    source: str = ""
    """The folder that it publishes; empty for a version that was on disk."""
    checked: bool = False
    """Its files passed."""
    loaded: bool = False
    """It passed all gates that need no traffic."""
    baked: frozenset[int] = frozenset()
    """The shares of the traffic, in percent, that it has had and passed."""
    promoted: bool = False
    """It was about to be promoted, at least."""
    failed: str = ""
    """Why it was being taken back; empty if it was not."""

    @property
    def told(self) -> str:
        """How far it has come."""
        if self.failed:
            return "it was being taken back"
        if self.promoted:
            return "it was being promoted"
        if self.baked:
            return f"it has passed {max(self.baked)} % of the traffic"
        if self.loaded:
            return "it has passed the gates without traffic"
        return "its files have passed" if self.checked else "it had just begun"


def open_run(events: Sequence[Event]) -> OpenRun | None:
    """Returns the run that began last, unless it has ended."""
    began = [number for number, event in enumerate(events) if event.what == "run began"]
    if not began:
        return None
    first = events[began[-1]]
    later = events[began[-1] :]
    if first.version is None or any(_ends(event, first) for event in later):
        return None
    own = [event for event in (events if first.run else later) if event.run == first.run]
    failures = [event.why for event in own if event.what in ("failed", "rolled back", "given up")]
    return OpenRun(
        first.run,
        first.version,
        own,
        str(first.figures.get("from", "")),
        checked=any(_passed(event, "contract") for event in own),
        loaded=any(event.what == "loaded" for event in own),
        baked=frozenset(e.figures.get("weight", 0) for e in own if e.what == "bake ended"),
        promoted=any(event.what == "promoted" for event in own),
        failed=failures[0] if failures else "",
    )


def _ends(event: Event, began: Event) -> bool:
    """By itself, or by an operator who took its version out."""
    if event.run == began.run:
        return event.what == "run ended"
    return event.version == began.version and event.what in ("rolled back", "retired", "promoted")


def _passed(event: Event, gate: str) -> bool:
    return (
        event.what == "gate"
        and event.figures.get("gate") == gate
        and event.figures.get("verdict") == PASSED
    )


def published(events: Sequence[Event], folder: str) -> int | None:
    """The version that a `run` of this folder has begun to publish and has not ended.

    One that nobody could judge yet is judged again. One that a killed run was taking back is
    taken back to the end.
    """
    for number, event in reversed(list(enumerate(events))):
        if event.what == "publishing" and event.figures.get("from") == folder:
            later = [one for one in events[number:] if one.version == event.version]
            return None if any(map(_finishes, later)) else event.version
    return None


def _finishes(event: Event) -> bool:
    """Whether no run goes on with a version after that."""
    if event.run:
        return event.what == "run ended" and event.figures.get("outcome") != "inconclusive"
    return event.what in ("run ended", "failed", "rolled back", "retired", "promoted")
