"""Remote calls from the first process of a server to a worker, over a pipe.

The worker runs each call in a separate thread, since a load takes long and a drain longer.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Connection
from typing import Any

from seq2sum_serving.embedded.errors import Code, ServingError

log = logging.getLogger(__name__)


class Dispatcher:
    """The end of the pipe in the first process. Safe to use from any thread."""

    def __init__(self, connection: Connection, name: str) -> None:
        """Takes ownership of a connection.

        Args:
            connection: To the worker.
            name: Name of the worker in errors.
        """
        self._connection = connection
        self._name = name
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._pending: dict[int, Future[Any]] = {}
        self._ended = False

    def call(self, method: str, *arguments: Any) -> Future[Any]:
        """Calls a method; fails with ServingError if the method does, or if the worker ends."""
        future: Future[Any] = Future()
        with self._lock:
            if self._ended:
                future.set_exception(self._ended_error())
                return future
            number = next(self._numbers)
            self._pending[number] = future
            try:
                self._connection.send((number, method, arguments))
            except OSError:  # the worker has just ended, which `read_results` notices too
                self._pending.pop(number).set_exception(self._ended_error())
        return future

    def read_results(self) -> None:
        """Sets the results of calls; returns when the worker has ended."""
        try:
            while True:
                number, value, code = self._connection.recv()
                with self._lock:
                    future = self._pending.pop(number)
                if code is None:
                    future.set_result(value)
                else:
                    future.set_exception(ServingError(Code(code), value))
        except (EOFError, OSError):
            with self._lock:
                self._ended = True
                pending = list(self._pending.values())
                self._pending.clear()
            for future in pending:
                future.set_exception(self._ended_error())
        self._connection.close()

    def _ended_error(self) -> ServingError:
        return ServingError(Code.UNAVAILABLE, f"{self._name} has ended")


def run_calls(connection: Connection, method_of: Callable[[str], Callable[..., Any]]) -> None:
    """Runs calls in a worker; returns when the first process has ended.

    Args:
        connection: To the first process.
        method_of: Returns a method by its name.
    """
    sending = threading.Lock()

    def run(number: int, method: str, arguments: tuple[Any, ...]) -> None:
        value, code = None, None
        try:
            value = method_of(method)(*arguments)
        except ServingError as error:
            value, code = error.message, error.code.value
        except Exception as error:
            log.exception("%s failed", method)
            value, code = f"{type(error).__name__}: {error}", Code.INTERNAL.value
        with sending:
            connection.send((number, value, code))

    try:
        while True:
            call = connection.recv()
            threading.Thread(target=run, args=call, name=call[1], daemon=True).start()
    except (EOFError, OSError):
        return
