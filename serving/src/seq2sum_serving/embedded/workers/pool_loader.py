"""A loader that loads each version in every process of a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Any, Protocol

from seq2sum_serving.embedded.errors import ServingError
from seq2sum_serving.embedded.inference.servable import Servable

Load = Callable[[str, int, str], Servable]


class Workers(Protocol):
    """The other processes of the server."""

    def call(self, method: str, *arguments: Any) -> list[Future[Any]]:
        """Calls `load`, `add` or `close` in each of them."""
        ...


class PoolServable:
    """A servable of this process that also closes its copies in the workers."""

    def __init__(self, servable: Servable, close: Callable[[], None]) -> None:
        # Copies of the servable's attributes, so that requests need no additional Python call.
        self.signatures: Mapping[str, Any] = servable.signatures
        self.run = servable.run
        self.close = close


class PoolLoader:
    """Loads a version in all processes concurrently. Safe to use from any thread."""

    def __init__(self, load: Load, workers: Workers) -> None:
        self._load = load
        self._workers = workers

    def __call__(self, model: str, version: int, path: str) -> Servable:
        """Loads a version; when this returns, the workers serve it.

        They start to serve it only after all have loaded it, so that no request reaches a version
        that fails to load.

        Args:
            model: Name of the model.
            version: Number of the version.
            path: Its directory.

        Raises:
            ServingError: It failed in one of the processes; it is then closed in all of them.
        """
        loads = self._workers.call("load", model, version, path)
        servable: Servable | None = None
        failure: BaseException | None = None
        try:
            servable = self._load(model, version, path)
        except ServingError as error:
            failure = error
        failure = failure or _failure(loads)  # the error of the first process is preferred
        failure = failure or _failure(self._workers.call("add", model, version))

        def close() -> None:
            closed = self._workers.call("close", model, version)  # workers log their errors
            if servable:
                servable.close()
            wait(closed)

        if servable is None or failure:
            wait(loads)
            close()
            assert failure is not None
            raise failure
        return PoolServable(servable, close)


def _failure(calls: list[Future[Any]]) -> BaseException | None:
    """Waits for all calls, and returns the first error."""
    wait(calls)
    return next((error for call in calls if (error := call.exception())), None)
