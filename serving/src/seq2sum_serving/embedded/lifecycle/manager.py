"""The manager: brings the managed versions to the aspired ones, one action at a time.

The source says what is aspired whenever it looked; the manager's thread takes it from there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from seq2sum_serving.embedded.errors import ServingError
from seq2sum_serving.embedded.lifecycle.policy import Action, Kind, Snapshot, next_action
from seq2sum_serving.embedded.lifecycle.serving_map import ServingMap
from seq2sum_serving.embedded.lifecycle.states import State, StateMonitor
from seq2sum_serving.embedded.lifecycle.workers import Workers
from seq2sum_serving.embedded.repeated import Repeated

log = logging.getLogger(__name__)


class Servable(Protocol):
    """What a loader makes: something that serves until it is closed."""

    def close(self) -> None:
        """Frees what it holds."""
        ...


S = TypeVar("S", bound=Servable)
Load = Callable[[str, int, str], S]
"""A loader: model, version and directory to a servable; raises ServingError."""
Check = Callable[[str, int, str], None]
"""Takes the same; raises ServingError."""


@dataclass
class Harness:
    """One managed version: where it comes from and where it is."""

    path: str
    state: State = State.START
    aspired: bool = True
    busy: bool = False
    """Whether an action on it was begun and has not ended."""


class Manager(Generic[S]):
    """Versions of any number of models.

    `set_aspired` and `handle` may be called from any thread, `step` from one only. Loads and
    unloads run in `step` itself while there are no threads for them: a load that fails and
    pauses before its next attempt holds up all models then, as in TensorFlow Serving.
    """

    def __init__(
        self,
        load: Load[S],
        monitor: StateMonitor,
        *,
        check: Check = lambda *_: None,
        retries: int = 0,
        pause: Callable[[], bool] = lambda: False,
        load_threads: int = 0,
        unload_threads: int = 0,
    ) -> None:
        """Makes a manager of no versions.

        Args:
            load: The loader.
            monitor: Who is told of states.
            check: Called once before the attempts to load a version; if it fails there are none.
            retries: Further attempts after a failed load.
            pause: Waits before each of them; True means to give up, since the server stops.
            load_threads: Threads that load; 0: `step` does.
            unload_threads: Threads that unload; 0: `step` does.
        """
        self._load = load
        self._check = check
        self._monitor = monitor
        self._retries = retries
        self._pause = pause
        self._serving: ServingMap[S] = ServingMap()
        self._loads = Workers("load", load_threads)
        self._unloads = Workers("unload", unload_threads)
        self._lock = threading.RLock()
        self._models: dict[str, dict[int, Harness]] = {}
        self._pending: dict[str, Mapping[int, str]] = {}

    def set_aspired(self, model: str, versions: Mapping[int, str]) -> None:
        """Says which versions of a model are wanted, with their directories.

        Omitting a version means that it may be unloaded. Only the last word counts.
        """
        with self._lock:
            self._pending[model] = dict(versions)

    def handle(self, model: str, version: int | None) -> AbstractContextManager[tuple[int, S]]:
        """A version in use; see ServingMap.handle."""
        return self._serving.handle(model, version)

    def set_load_threads(self, count: int) -> None:
        """Changes the number of threads that load; waits for the loads of the old ones."""
        self._loads.resize(count)

    def step(self) -> bool:
        """Takes over what is aspired and begins at most one action; False if there was none."""
        with self._lock:
            self._forget()
            self._take_over()
            chosen = self._next()
            if chosen is None:
                return False
            model, action = chosen
            harness = self._models[model][action.version]
            harness.busy = True
        if action.kind is Kind.LOAD:
            self._loads.run(lambda: self._load_version(model, action.version, harness))
        else:
            self._unloads.run(lambda: self._unload_version(model, action.version, harness))
        return True

    def _next(self) -> tuple[str, Action] | None:
        """The action to begin: unloads before loads, then the newest version first."""
        found = []
        for model, versions in self._models.items():
            action = next_action([Snapshot(v, _seen(h), h.aspired) for v, h in versions.items()])
            if action is not None:
                found.append((model, action))
        order = {Kind.UNLOAD: 0, Kind.LOAD: 1}
        return min(found, key=lambda f: (order[f[1].kind], -f[1].version), default=None)

    def _take_over(self) -> None:
        for model, wanted in list(self._pending.items()):
            versions = self._models.setdefault(model, {})
            # A version on its way out cannot be aspired again before it is gone; as in
            # TensorFlow Serving the whole set waits for that, which for a version that others
            # fell back on may be for ever.
            if any(v in versions and not versions[v].aspired for v in wanted):
                continue
            del self._pending[model]
            for number, harness in versions.items():
                harness.aspired = number in wanted
            for number in sorted(wanted.keys() - versions.keys()):
                versions[number] = Harness(wanted[number])
                self._monitor.publish(model, number, State.START)

    def _forget(self) -> None:
        """Lets go of what is neither wanted nor loaded; its last state stays in the monitor."""
        for model, versions in self._models.items():
            for number in [v for v, h in versions.items() if not h.aspired and not h.busy]:
                if versions[number].state is State.START:
                    self._set(model, number, versions[number], State.END)
                if versions[number].state is State.END:
                    del versions[number]

    def _load_version(self, model: str, version: int, harness: Harness) -> None:
        try:
            self._admit(model, version, harness)
            self._set(model, version, harness, State.LOADING)
            servable = self._attempt(model, version, harness)
        except ServingError as error:
            # Without its traceback: this state is kept for ever, and the frames of the load with
            # it would keep the whole graph (measured: 1.3 MB for each failure of a small one).
            told = ServingError(error.code, error.message)
            self._set(model, version, harness, State.END, told)
            return
        self._serving.add(model, version, servable)
        log.info("Successfully loaded servable version {name: %s version: %d}", model, version)
        self._set(model, version, harness, State.AVAILABLE)

    def _admit(self, model: str, version: int, harness: Harness) -> None:
        """Checks a version's files before the first attempt; logs why one is refused."""
        try:
            self._check(model, version, harness.path)
        except ServingError as error:
            _log_failure(model, version, error, "publish it under a new number")
            raise

    def _attempt(self, model: str, version: int, harness: Harness) -> S:
        """Loads, again after a pause if it fails; raises the last error.

        A version that is no longer aspired is given up at the end of a pause. Without a pause
        between attempts the same error could come many times a second: it is logged ever less
        often, and always for the last attempt.
        """
        log.info("Loading servable version {name: %s version: %d}", model, version)
        repeated = Repeated()
        for left in range(self._retries, -1, -1):
            try:
                return self._load(model, version, harness.path)
            except ServingError as error:
                if repeated.is_due(None, str(error)) or not left:
                    advice = f"{left} attempts left" if left else "publish it under a new number"
                    _log_failure(model, version, error, advice)
                if not left or self._pause() or not harness.aspired:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _unload_version(self, model: str, version: int, harness: Harness) -> None:
        self._set(model, version, harness, State.UNLOADING, busy=True)
        self._serving.remove(model, version).close()
        log.info("Done unloading servable version {name: %s version: %d}", model, version)
        self._set(model, version, harness, State.END)

    def _set(
        self,
        model: str,
        version: int,
        harness: Harness,
        state: State,
        error: ServingError | None = None,
        *,
        busy: bool | None = None,
    ) -> None:
        with self._lock:
            harness.state = state
            harness.busy = state is State.LOADING if busy is None else busy
            self._monitor.publish(model, version, state, error)


def _seen(harness: Harness) -> State:
    """The state that the policy decides by: a version with an action under way is left alone."""
    begun = {State.START: State.LOADING, State.AVAILABLE: State.UNLOADING}
    return begun.get(harness.state, harness.state) if harness.busy else harness.state


def _log_failure(model: str, version: int, error: ServingError, advice: str) -> None:
    text = " ".join(str(error).split())
    log.error(
        "Loading servable: {name: %s version: %d} failed: %s; %s", model, version, text, advice
    )
