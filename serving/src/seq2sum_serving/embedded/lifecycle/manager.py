"""The manager: brings the managed versions to the aspired ones, one action at a time.

The source says what is aspired whenever it looked; the manager's thread takes it from there.
Requests get counted handles: a version is unloaded only after the last one is given back.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.policy import Kind, Snapshot, next_action
from seq2sum_serving.embedded.states import State, StateMonitor

log = logging.getLogger(__name__)


class Servable(Protocol):
    """What a loader makes: something that serves until it is closed."""

    def close(self) -> None:
        """Frees what it holds."""
        ...


S = TypeVar("S", bound=Servable)


@dataclass
class Harness(Generic[S]):
    """One managed version: where it comes from, where it is, who uses it."""

    path: str
    state: State = State.START
    aspired: bool = True
    servable: S | None = None
    users: int = 0


class Manager(Generic[S]):
    """Versions of any number of models.

    `set_aspired` and `handle` may be called from any thread, `step` from one only.
    """

    def __init__(
        self,
        load: Callable[[str], S],
        monitor: StateMonitor,
        *,
        retries: int = 0,
        pause: Callable[[], bool] = lambda: False,
    ) -> None:
        """Makes a manager of no versions.

        Args:
            load: The loader: from a version directory to a servable; raises ServingError.
            monitor: Who is told of states.
            retries: Further attempts after a failed load.
            pause: Waits before each of them; True means to give up, since the server stops.
        """
        self._load = load
        self._monitor = monitor
        self._retries = retries
        self._pause = pause
        self._changed = threading.Condition()
        self._models: dict[str, dict[int, Harness[S]]] = {}
        self._pending: dict[str, Mapping[int, str]] = {}

    def set_aspired(self, model: str, versions: Mapping[int, str]) -> None:
        """Says which versions of a model are wanted, with their directories.

        Omitting a version means that it may be unloaded. Only the last word counts.
        """
        with self._changed:
            self._pending[model] = dict(versions)

    @contextmanager
    def handle(self, model: str, version: int | None) -> Iterator[tuple[int, S]]:
        """A version in use: its number and its servable. None asks for the latest one serving.

        Raises:
            ServingError: NOT_FOUND, in TensorFlow Serving's words; its own tools look for them.
        """
        with self._changed:
            number, harness, servable = self._find(model, version)
            harness.users += 1
        try:
            yield number, servable
        finally:
            with self._changed:
                harness.users -= 1
                self._changed.notify_all()

    def step(self) -> bool:
        """Takes over what is aspired and does at most one action; False if there was none."""
        self._take_over()
        for model, versions in self._models.items():
            snapshots = [Snapshot(v, h.state, h.aspired) for v, h in versions.items()]
            action = next_action(snapshots)
            if action is None:
                continue
            harness = versions[action.version]
            if action.kind is Kind.LOAD:
                self._load_version(model, action.version, harness)
            else:
                self._unload_version(model, action.version, harness)
            return True
        return False

    def _take_over(self) -> None:
        with self._changed:
            pending, self._pending = self._pending, {}
            for model, wanted in pending.items():
                versions = self._models.setdefault(model, {})
                # A version on its way out cannot be aspired again before it is gone; as in
                # TensorFlow Serving the whole set waits for that. The source will say it again.
                if any(v in versions and not versions[v].aspired for v in wanted):
                    continue
                for number, harness in versions.items():
                    harness.aspired = number in wanted
                for number in sorted(wanted.keys() - versions.keys()):
                    versions[number] = Harness(wanted[number])
                    self._monitor.publish(model, number, State.START)
            for model, versions in self._models.items():
                for number in [v for v, h in versions.items() if not h.aspired]:
                    if versions[number].state is State.START:
                        self._set(model, number, versions[number], State.END)
                    if versions[number].state is State.END:
                        del versions[number]

    def _find(self, model: str, version: int | None) -> tuple[int, Harness[S], S]:
        serving = {
            number: (number, harness, harness.servable)
            for number, harness in self._models.get(model, {}).items()
            if harness.servable is not None
        }
        wanted = max(serving, default=None) if version is None else version
        if wanted is None or wanted not in serving:
            which = f"Latest({model})" if version is None else f"Specific({model}, {version})"
            raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {which}")
        return serving[wanted]

    def _load_version(self, model: str, version: int, harness: Harness[S]) -> None:
        self._set(model, version, harness, State.LOADING)
        try:
            servable = self._attempt(model, version, harness.path)
        except ServingError as error:
            self._set(model, version, harness, State.END, error)
            return
        with self._changed:
            harness.servable = servable
        self._set(model, version, harness, State.AVAILABLE)
        log.info("Successfully loaded servable version {name: %s version: %d}", model, version)

    def _attempt(self, model: str, version: int, path: str) -> S:
        """Loads, again after a pause if it fails; raises the last error.

        As in TensorFlow Serving the pauses hold up the loads and unloads of all models.
        """
        for left in range(self._retries, -1, -1):
            log.info("Loading servable version {name: %s version: %d}", model, version)
            try:
                return self._load(path)
            except ServingError as error:
                log.error(
                    "Loading servable: {name: %s version: %d} failed: %s; %s",
                    model,
                    version,
                    " ".join(str(error).split()),
                    f"{left} attempts left" if left else "publish it under a new number",
                )
                if not left or self._pause():
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _unload_version(self, model: str, version: int, harness: Harness[S]) -> None:
        self._set(model, version, harness, State.UNLOADING)
        with self._changed:
            servable, harness.servable = harness.servable, None
            self._changed.wait_for(lambda: harness.users == 0)
        if servable is not None:
            servable.close()
        self._set(model, version, harness, State.END)
        log.info("Done unloading servable version {name: %s version: %d}", model, version)

    def _set(
        self,
        model: str,
        version: int,
        harness: Harness[S],
        state: State,
        error: ServingError | None = None,
    ) -> None:
        harness.state = state
        self._monitor.publish(model, version, state, error)
