"""The states of servable versions, the ways between them, and who is told.

Two rules keep the table honest. A version is AVAILABLE only after it can be used, and is
UNLOADING before it no longer can; so whoever reads AVAILABLE may rely on it. And END is
never forgotten: a version that is gone, or failed, keeps its last row until the process ends
or the version is managed again.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
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


@dataclass(frozen=True, slots=True)
class Settled:
    """The version of a model that was the first to be AVAILABLE or to END."""

    version: int
    """Its number."""
    entry: VersionState
    """Where it ended up."""


SETTLED = (State.AVAILABLE, State.END)


class Watch:
    """Waits until a version of each of some models gets to AVAILABLE or END."""

    def __init__(self, models: Collection[str], changed: threading.Condition) -> None:
        self._waiting = set(models)
        self._settled: dict[str, Settled] = {}
        self._changed = changed

    def see(self, model: str, version: int, entry: VersionState) -> None:
        """Told of every change, by the monitor."""
        if model in self._waiting and entry.state in SETTLED:
            self._waiting.discard(model)
            self._settled[model] = Settled(version, entry)

    def wait(self, seconds: float) -> dict[str, Settled] | None:
        """What came first of each model; None if some are still open after that time."""
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
        """Records a change of state; one that the table does not have is a bug."""
        with self._changed:
            versions = self._models.setdefault(model, {})
            before = versions[version].state if version in versions else State.END
            if state not in TRANSITIONS[before]:
                raise AssertionError(f"{model} {version}: {before.name} to {state.name}")
            versions[version] = VersionState(state, error)
            for watch in self._watches:
                watch.see(model, version, versions[version])
            self._changed.notify_all()

    def versions(self, model: str) -> dict[int, VersionState]:
        """All known versions of a model, newest first; empty for an unknown model."""
        with self._changed:
            return dict(sorted(self._models.get(model, {}).items(), reverse=True))

    def models(self) -> list[str]:
        """Names of all models that ever had a version."""
        with self._changed:
            return sorted(self._models)

    @contextmanager
    def watch(self, models: Collection[str], *, fresh: bool) -> Iterator[Watch]:
        """Watches some models from now on.

        Args:
            models: Their names.
            fresh: Whether only what is still to come counts. The END of a version that was
                unloaded long ago says nothing about the load to come.
        """
        watch = Watch(models, self._changed)
        with self._changed:
            if not fresh:
                for model in models:
                    for version, entry in self.versions(model).items():
                        watch.see(model, version, entry)
            self._watches.append(watch)
        try:
            yield watch
        finally:
            with self._changed:
                self._watches.remove(watch)
