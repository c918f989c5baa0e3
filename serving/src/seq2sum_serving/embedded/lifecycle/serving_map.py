"""The versions that serve, as one map that is replaced as a whole.

Requests that started on the old map keep it until they end, and the thread that replaces the map
waits for them, as in TensorFlow Serving (fast_read_dynamic_ptr.h). So one long request of any model
delays the loads and unloads of all models.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from seq2sum_serving.embedded.errors import Code, ServingError

T = TypeVar("T")


class Generation(Generic[T]):
    """One map, and the number of requests that use it."""

    __slots__ = ("models", "users")

    def __init__(self, models: Mapping[str, Mapping[int, T]]) -> None:
        self.models = models
        self.users = 0


class Handle(Generic[T]):
    """A version that is held: as long as a handle exists, the version is not unloaded."""

    __slots__ = ("_generation", "_release", "number", "servable")

    def __init__(
        self,
        number: int,
        servable: T,
        generation: Generation[T],
        release: Callable[[Generation[T]], None],
    ) -> None:
        self.number = number
        self.servable = servable
        self._generation = generation
        self._release = release

    def release(self) -> None:
        """Ends the hold; to be called once."""
        self._release(self._generation)

    def __enter__(self) -> tuple[int, T]:
        """Returns the version's number and servable."""
        return self.number, self.servable

    def __exit__(self, *_: object) -> None:
        self._release(self._generation)


class ServingMap(Generic[T]):
    """The servables that serve, by model and version. Safe to use from any thread."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._lock = threading.Lock()
        """Guards everything below."""
        self._released = threading.Condition(self._lock)
        self._current: Generation[T] = Generation({})

    def handle(self, model: str, version: int | None) -> Handle[T]:
        """Holds a version, the latest for None, until the handle is released.

        Raises:
            ServingError: NOT_FOUND, with the message of core/basic_manager.cc, which TensorFlow
                Serving's own tools match.
        """
        with self._lock:
            generation = self._current
            versions = generation.models.get(model, {})
            number = max(versions, default=None) if version is None else version
            if number is not None and number in versions:
                generation.users += 1
                return Handle(number, versions[number], generation, self._release)
        name = f"Latest({model})" if version is None else f"Specific({model}, {version})"
        raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {name}")

    def _release(self, generation: Generation[T]) -> None:
        with self._lock:
            generation.users -= 1
            if not generation.users and generation is not self._current:
                self._released.notify_all()

    def add(self, model: str, version: int, servable: T) -> None:
        """Adds a version, and waits for the requests that started before."""
        with self._changing:
            versions = {**self._current.models.get(model, {}), version: servable}
            self._replace({**self._current.models, model: versions})

    def remove(self, model: str, version: int) -> T:
        """Removes a version, waits for the requests that started before, and returns it."""
        with self._changing:
            versions = dict(self._current.models[model])
            servable = versions.pop(version)
            self._replace({**self._current.models, model: versions})
        return servable

    def _replace(self, models: Mapping[str, Mapping[int, T]]) -> None:
        with self._released:
            before, self._current = self._current, Generation(models)
            self._released.wait_for(lambda: before.users == 0)
