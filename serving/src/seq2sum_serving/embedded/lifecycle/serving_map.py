"""The versions that serve, as one map that is replaced as a whole.

Requests that started on the old map keep it until they end, and the thread that replaces the map
waits for them, as in TensorFlow Serving (fast_read_dynamic_ptr.h). So one long request of any model
delays the loads and unloads of all models.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, TypeVar

from seq2sum_serving.embedded.errors import Code, ServingError

T = TypeVar("T")


class Generation(Generic[T]):
    """One map, and the number of requests that use it."""

    __slots__ = ("models", "users")

    def __init__(self, models: Mapping[str, Mapping[int, T]]) -> None:
        self.models = models
        self.users = 0


class ServingMap(Generic[T]):
    """The servables that serve, by model and version. Safe to use from any thread."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._released = threading.Condition()
        self._current: Generation[T] = Generation({})

    @contextmanager
    def handle(self, model: str, version: int | None) -> Iterator[tuple[int, T]]:
        """Holds a version, the latest for None, and yields its number and its servable.

        Raises:
            ServingError: NOT_FOUND, with the message of core/basic_manager.cc, which TensorFlow
                Serving's own tools match.
        """
        with self._released:
            generation = self._current
            generation.users += 1
        try:
            versions = generation.models.get(model, {})
            number = max(versions, default=None) if version is None else version
            if number is None or number not in versions:
                name = f"Latest({model})" if version is None else f"Specific({model}, {version})"
                raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {name}")
            yield number, versions[number]
        finally:
            with self._released:
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
