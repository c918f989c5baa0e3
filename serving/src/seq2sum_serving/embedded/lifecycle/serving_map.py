"""The map of what serves, for requests of all models; changed as a whole.

A change is a new map. Requests that began on the old one keep it until they end, and whoever
changed the map waits for them, as in TensorFlow Serving (fast_read_dynamic_ptr.h). So one long
request of any model holds up the loads and unloads of all of them, there and here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, TypeVar

from seq2sum_serving.embedded.errors import Code, ServingError

T = TypeVar("T")


class Generation(Generic[T]):
    """One map and the number of requests on it."""

    __slots__ = ("models", "users")

    def __init__(self, models: Mapping[str, Mapping[int, T]]) -> None:
        self.models = models
        self.users = 0


class ServingMap(Generic[T]):
    """What serves now: servables by model and version. Safe to use from any thread."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._left = threading.Condition()
        self._current: Generation[T] = Generation({})

    @contextmanager
    def handle(self, model: str, version: int | None) -> Iterator[tuple[int, T]]:
        """A version in use: its number and its servable. None asks for the latest one serving.

        Raises:
            ServingError: NOT_FOUND, in TensorFlow Serving's words; its own tools look for them.
        """
        with self._left:
            generation = self._current
            generation.users += 1
        try:
            versions = generation.models.get(model, {})
            number = max(versions, default=None) if version is None else version
            if number is None or number not in versions:
                which = f"Latest({model})" if version is None else f"Specific({model}, {version})"
                raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {which}")
            yield number, versions[number]
        finally:
            with self._left:
                generation.users -= 1
                if not generation.users and generation is not self._current:
                    self._left.notify_all()

    def add(self, model: str, version: int, servable: T) -> None:
        """Lets a version serve, and waits for the requests that began before."""
        with self._changing:
            versions = {**self._current.models.get(model, {}), version: servable}
            self._replace({**self._current.models, model: versions})

    def remove(self, model: str, version: int) -> T:
        """Takes a version out, and waits for the requests that began before."""
        with self._changing:
            versions = dict(self._current.models[model])
            servable = versions.pop(version)
            self._replace({**self._current.models, model: versions})
        return servable

    def _replace(self, models: Mapping[str, Mapping[int, T]]) -> None:
        with self._left:
            before, self._current = self._current, Generation(models)
            self._left.wait_for(lambda: before.users == 0)
