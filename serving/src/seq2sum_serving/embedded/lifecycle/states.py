"""The states of servable versions, the transitions between them, and waiting for them.

Two rules hold. A version is AVAILABLE only after requests can use it, and UNLOADING before they no
longer can, so that a client may rely on AVAILABLE. And END is never forgotten: a version that was
unloaded or failed keeps its last state until the process ends or the version is managed again
(servable_state_monitor.cc).
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

from seq2sum_serving.embedded.errors import ServingError


class State(IntEnum):
    """The state of a version; names and numbers are those of GetModelStatus."""

    START = 10
    """Managed, not yet loading."""
    LOADING = 20
    """Being loaded."""
    AVAILABLE = 30
    """Serving."""
    UNLOADING = 40
    """Finishing the calls in flight; no new calls."""
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
    """The state of a version, and why it failed if it did."""

    state: State
    """Its state."""
    error: ServingError | None = None
    """The load error; only with END."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The first version of a model to reach AVAILABLE or END."""

    version: int
    """Its number."""
    entry: VersionState
    """The state it reached."""


SETTLED = (State.AVAILABLE, State.END)


class Watch:
    """Waits until each of some models has a version that is AVAILABLE or END."""

    def __init__(self, models: Collection[str], changed: threading.Condition) -> None:
        self._waiting = set(models)
        self._settled: dict[str, Settled] = {}
        self._changed = changed

    def update(self, model: str, version: int, entry: VersionState) -> None:
        """Records a change of state; called by the monitor, with its lock."""
        if model in self._waiting and entry.state in SETTLED:
            self._waiting.discard(model)
            self._settled[model] = Settled(version, entry)

    def wait(self, seconds: float) -> dict[str, Settled] | None:
        """Returns the first settled version of each model; None after a timeout."""
        with self._changed:
            if self._changed.wait_for(lambda: not self._waiting, seconds):
                return dict(self._settled)
        return None


class StateMonitor:
    """The last state of every version of every model. Safe to use from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._models: dict[str, dict[int, VersionState]] = {}
        self._watches: list[Watch] = []

    def publish(
        self, model: str, version: int, state: State, error: ServingError | None = None
    ) -> None:
        """Records a change of state; one that TRANSITIONS does not list is a bug."""
        with self._changed:
            versions = self._models.setdefault(model, {})
            before = versions[version].state if version in versions else State.END
            if state not in TRANSITIONS[before]:
                raise AssertionError(f"{model} {version}: {before.name} to {state.name}")
            versions[version] = VersionState(state, error)
            for watch in self._watches:
                watch.update(model, version, versions[version])
            self._changed.notify_all()

    def versions(self, model: str) -> dict[int, VersionState]:
        """Returns all known versions of a model, newest first; empty for an unknown model."""
        with self._changed:
            return dict(sorted(self._models.get(model, {}).items(), reverse=True))

    def models(self) -> list[str]:
        """Returns the names of all models that ever had a version."""
        with self._changed:
            return sorted(self._models)

    @contextmanager
    def watch(self, models: Collection[str], *, include_past: bool) -> Iterator[Watch]:
        """Watches the states of some models.

        Args:
            models: Their names.
            include_past: Whether states that were reached before count too. They must not if a load
                is expected: an END may be that of a version unloaded long ago.
        """
        watch = Watch(models, self._changed)
        with self._changed:
            if include_past:
                for model in models:
                    for version, entry in self.versions(model).items():
                        watch.update(model, version, entry)
            self._watches.append(watch)
        try:
            yield watch
        finally:
            with self._changed:
                self._watches.remove(watch)
