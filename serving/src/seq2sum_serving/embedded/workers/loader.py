"""A loader whose versions are in every process of the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Any, Protocol

from seq2sum_serving.embedded.errors import ServingError
from seq2sum_serving.embedded.inference.servable import Servable

Load = Callable[[str, int, str], Servable]


class Replicas(Protocol):
    """Who loads too."""

    def ask(self, verb: str, *arguments: Any) -> list[Future[Any]]:
        """Asks all of them the same: `load`, `add` or `close`."""
        ...


class ReplicatedServable:
    """A version in this process that closes itself in the others too."""

    def __init__(self, servable: Servable, close: Callable[[], None]) -> None:
        # As they are: a request takes no step more.
        self.signatures: Mapping[str, Any] = servable.signatures
        self.run = servable.run
        self.close = close


class ReplicatedLoader:
    """Loads a version in all processes side by side. Safe to use from any thread."""

    def __init__(self, load: Load, replicas: Replicas) -> None:
        self._load = load
        self._replicas = replicas

    def __call__(self, model: str, version: int, path: str) -> Servable:
        """Loads a version; when this returns, the replicas answer with it.

        They begin to only when all have it, so that nobody is answered by a version that fails.

        Args:
            model: Name of the model.
            version: Number of the version.
            path: Its directory.

        Raises:
            ServingError: It cannot serve in one of the processes; nothing of it is left in any.
        """
        loads = self._replicas.ask("load", model, version, path)
        servable: Servable | None = None
        failure: BaseException | None = None
        try:
            servable = self._load(model, version, path)
        except ServingError as error:
            failure = error
        failure = failure or _failure(loads)  # the first process's own words, if it has any
        failure = failure or _failure(self._replicas.ask("add", model, version))

        def close() -> None:
            # What goes wrong there is told there.
            closed = self._replicas.ask("close", model, version)
            if servable:
                servable.close()
            wait(closed)

        if servable is None or failure:
            wait(loads)
            close()
            raise failure or AssertionError("what is not loaded has failed")
        return ReplicatedServable(servable, close)


def _failure(asked: list[Future[Any]]) -> BaseException | None:
    """The first of their failures, once all have answered."""
    wait(asked)
    return next((error for future in asked if (error := future.exception())), None)
