"""The states of servable versions, the ways between them, and who is told.

Two rules keep the table honest. A version is AVAILABLE only after it can be used, and is
UNLOADING before it no longer can; so whoever reads AVAILABLE may rely on it. And END is
never forgotten: a version that is gone, or failed, keeps its last row until the process ends
or the version is managed again.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import IntEnum

from seq2sum_serving.embedded.errors import ServingError


class State(IntEnum):
    """A version's life; names and numbers are those of GetModelStatus."""

    START = 10
    """Managed, not yet loading."""
    LOADING = 20
    """Being loaded."""
    AVAILABLE = 30
    """Serving."""
    UNLOADING = 40
    """Finishing what is in flight, taking nothing new."""
    END = 50
    """Unloaded, or failed to load."""


TRANSITIONS: dict[State, frozenset[State]] = {
    State.START: frozenset({State.LOADING, State.END}),
    State.LOADING: frozenset({State.AVAILABLE, State.END}),
    State.AVAILABLE: frozenset({State.UNLOADING}),
    State.UNLOADING: frozenset({State.END}),
    State.END: frozenset({State.START}),
}
"""From each state to the states that may follow."""


@dataclass(frozen=True, slots=True)
class VersionState:
    """Where a version is, and why it failed if it did."""

    state: State
    """Its state."""
    error: ServingError | None = None
    """The load error; only ever with END."""


class StateMonitor:
    """The last state of every version of every model. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: dict[str, dict[int, VersionState]] = {}

    def publish(
        self, model: str, version: int, state: State, error: ServingError | None = None
    ) -> None:
        """Records a change of state; one that the table does not have is a bug."""
        with self._lock:
            versions = self._models.setdefault(model, {})
            before = versions[version].state if version in versions else State.END
            if state not in TRANSITIONS[before]:
                raise AssertionError(f"{model} {version}: {before.name} to {state.name}")
            versions[version] = VersionState(state, error)

    def versions(self, model: str) -> dict[int, VersionState]:
        """All known versions of a model, newest first; empty for an unknown model."""
        with self._lock:
            return dict(sorted(self._models.get(model, {}).items(), reverse=True))

    def settled(self, model: str) -> bool:
        """True once any version of the model got to AVAILABLE or END."""
        done = (State.AVAILABLE, State.END)
        return any(entry.state in done for entry in self.versions(model).values())
