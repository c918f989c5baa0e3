"""The manager: brings the managed versions to the aspired ones, one action at a time.

The source reports aspired versions whenever it has polled; the manager's thread applies them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from seq2sum_serving.embedded.errors import ServingError
from seq2sum_serving.embedded.lifecycle.executor import ResizableExecutor
from seq2sum_serving.embedded.lifecycle.policy import Action, Kind, Snapshot, next_action
from seq2sum_serving.embedded.lifecycle.serving_map import Handle, ServingMap
from seq2sum_serving.embedded.lifecycle.states import State, StateMonitor
from seq2sum_serving.embedded.log_throttle import LogThrottle

log = logging.getLogger(__name__)


class Servable(Protocol):
    """A loaded version, which serves until it is closed."""

    def close(self) -> None:
        """Frees its resources."""
        ...


S = TypeVar("S", bound=Servable)
Load = Callable[[str, int, str], S]
"""Loads a servable from a model's name, a version and its directory; raises ServingError."""
Check = Callable[[str, int, str], None]
"""Checks a version, with the arguments of Load; raises ServingError."""


@dataclass
class Harness:
    """One managed version (loader_harness.cc)."""

    path: str
    state: State = State.START
    aspired: bool = True
    busy: bool = False
    """Whether an action on it has started and not ended."""

    def policy_state(self) -> State:
        """Returns the state that the policy sees: a version with a running action is left alone."""
        started = {State.START: State.LOADING, State.AVAILABLE: State.UNLOADING}
        return started.get(self.state, self.state) if self.busy else self.state


class Manager(Generic[S]):
    """Manages the versions of any number of models.

    `set_aspired` and `handle` may be called from any thread, `step` from one thread only. Without
    load and unload threads, loads and unloads run in `step` itself: a load that fails and pauses
    before its next attempt then blocks all models, as in TensorFlow Serving (basic_manager.cc).
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
        """Makes a manager without versions.

        Args:
            load: The loader.
            monitor: Receives the states.
            check: Called once before the first attempt to load a version, which it can prevent.
            retries: Attempts after a failed load.
            pause: Waits before each retry; returns True to give up, because the server is stopping.
            load_threads: Threads for loads; 0: they run in `step`.
            unload_threads: Threads for unloads; 0: they run in `step`.
        """
        self._load = load
        self._check = check
        self._monitor = monitor
        self._retries = retries
        self._pause = pause
        self._serving: ServingMap[S] = ServingMap()
        self._loads = ResizableExecutor("load", load_threads)
        self._unloads = ResizableExecutor("unload", unload_threads)
        self._lock = threading.RLock()
        self._models: dict[str, dict[int, Harness]] = {}
        self._pending: dict[str, Mapping[int, str]] = {}

    def set_aspired(self, model: str, versions: Mapping[int, str]) -> None:
        """Sets the aspired versions of a model, with their directories.

        A version that is left out may be unloaded. A later call replaces an earlier one.
        """
        with self._lock:
            self._pending[model] = dict(versions)

    def handle(self, model: str, version: int | None) -> Handle[S]:
        """Holds a version; see ServingMap.handle."""
        return self._serving.handle(model, version)

    def set_load_threads(self, count: int) -> None:
        """Sets the number of load threads, and waits for the loads of the old threads."""
        self._loads.resize(count)

    def step(self) -> bool:
        """Applies the aspired versions and starts at most one action; returns whether it did."""
        with self._lock:
            self._forget_unused()
            self._apply_aspired()
            next_up = self._next_action()
            if next_up is None:
                return False
            model, action = next_up
            harness = self._models[model][action.version]
            harness.busy = True
        if action.kind is Kind.LOAD:
            self._loads.run(lambda: self._load_version(model, action.version, harness))
        else:
            self._unloads.run(lambda: self._unload_version(model, action.version, harness))
        return True

    def _next_action(self) -> tuple[str, Action] | None:
        """Returns the action to start: unloads before loads, then the newest version first."""
        actions = []
        for model, versions in self._models.items():
            action = next_action(
                [Snapshot(v, h.policy_state(), h.aspired) for v, h in versions.items()]
            )
            if action is not None:
                actions.append((model, action))
        order = {Kind.UNLOAD: 0, Kind.LOAD: 1}
        return min(actions, key=lambda a: (order[a[1].kind], -a[1].version), default=None)

    def _apply_aspired(self) -> None:
        for model, aspired in list(self._pending.items()):
            versions = self._models.setdefault(model, {})
            # A version that is no longer aspired cannot be aspired again before it has ended. As in
            # aspired_versions_manager.cc the whole set waits for that, which may be forever: a
            # version that serves because its successor failed does not end.
            if any(v in versions and not versions[v].aspired for v in aspired):
                continue
            del self._pending[model]
            for number, harness in versions.items():
                harness.aspired = number in aspired
            for number in sorted(aspired.keys() - versions.keys()):
                versions[number] = Harness(aspired[number])
                self._monitor.publish(model, number, State.START)

    def _forget_unused(self) -> None:
        """Drops versions that are neither aspired nor loaded; the monitor keeps their states."""
        for model, versions in self._models.items():
            for number in [v for v, h in versions.items() if not h.aspired and not h.busy]:
                if versions[number].state is State.START:
                    self._set(model, number, versions[number], State.END)
                if versions[number].state is State.END:
                    del versions[number]

    def _load_version(self, model: str, version: int, harness: Harness) -> None:
        try:
            self._check_files(model, version, harness)
            self._set(model, version, harness, State.LOADING)
            servable = self._load_with_retries(model, version, harness)
        except ServingError as error:
            # A copy without the traceback: the state is kept forever, and the frames of the load
            # would keep the whole graph alive (measured: 1.3 MB per failure of a small one).
            copy = ServingError(error.code, error.message)
            self._set(model, version, harness, State.END, copy)
            return
        self._serving.add(model, version, servable)
        log.info("Successfully loaded servable version {name: %s version: %d}", model, version)
        self._set(model, version, harness, State.AVAILABLE)

    def _check_files(self, model: str, version: int, harness: Harness) -> None:
        """Checks a version before the first attempt to load it; logs and raises the error."""
        try:
            self._check(model, version, harness.path)
        except ServingError as error:
            _log_failure(model, version, error, "publish it under a new number")
            raise

    def _load_with_retries(self, model: str, version: int, harness: Harness) -> S:
        """Loads a version, and retries after a pause if it fails; raises the last error.

        Stops retrying a version that is no longer aspired at the end of a pause. The log is
        throttled, since without a pause the same error could occur many times a second; the error
        of the last attempt is always logged.
        """
        log.info("Loading servable version {name: %s version: %d}", model, version)
        throttle, left = LogThrottle(), self._retries
        while True:
            try:
                return self._load(model, version, harness.path)
            except ServingError as error:
                if throttle.is_due(None, str(error)) or not left:
                    advice = f"{left} attempts left" if left else "publish it under a new number"
                    _log_failure(model, version, error, advice)
                if not left or self._pause() or not harness.aspired:
                    raise
            left -= 1

    def _unload_version(self, model: str, version: int, harness: Harness) -> None:
        self._set(model, version, harness, State.UNLOADING)
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
    ) -> None:
        with self._lock:
            harness.state = state
            harness.busy = state in (State.LOADING, State.UNLOADING)
            self._monitor.publish(model, version, state, error)


def _log_failure(model: str, version: int, error: ServingError, advice: str) -> None:
    text = " ".join(str(error).split())
    log.error(
        "Loading servable: {name: %s version: %d} failed: %s; %s", model, version, text, advice
    )
