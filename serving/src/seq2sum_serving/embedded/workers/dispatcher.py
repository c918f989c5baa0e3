"""The line between the first process and a replica: the first one asks, the replica answers.

Each question is worked on by a thread of its own, since a load takes long and a drain longer;
who needs an order waits for the answer.
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


class Line:
    """The first process's end. Safe to use from any thread."""

    def __init__(self, connection: Connection, name: str) -> None:
        """Takes over a connection.

        Args:
            connection: To the replica.
            name: What errors call the replica.
        """
        self._connection = connection
        self._name = name
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._open: dict[int, Future[Any]] = {}
        self._ended = False

    def ask(self, verb: str, *arguments: Any) -> Future[Any]:
        """The answer to come; a ServingError if that is what the replica raised, or if it ended."""
        future: Future[Any] = Future()
        with self._lock:
            if self._ended:
                future.set_exception(self._end())
                return future
            number = next(self._numbers)
            self._open[number] = future
            try:
                self._connection.send((number, verb, arguments))
            except OSError:  # it has just ended, which `read` finds too
                self._open.pop(number).set_exception(self._end())
        return future

    def read(self) -> None:
        """Hands out answers; returns when the replica has ended."""
        try:
            while True:
                number, value, code = self._connection.recv()
                with self._lock:
                    future = self._open.pop(number)
                if code is None:
                    future.set_result(value)
                else:
                    future.set_exception(ServingError(Code(code), value))
        except (EOFError, OSError):
            with self._lock:
                self._ended = True
                left = list(self._open.values())
                self._open.clear()
            for future in left:
                future.set_exception(self._end())
        self._connection.close()

    def _end(self) -> ServingError:
        return ServingError(Code.UNAVAILABLE, f"{self._name} has ended")


def answer(connection: Connection, verb_of: Callable[[str], Callable[..., Any]]) -> None:
    """The replica's end: answers until the first process is gone, and returns then.

    Args:
        connection: To the first process.
        verb_of: From the name of what is asked to what does it.
    """
    sending = threading.Lock()

    def work(number: int, verb: str, arguments: tuple[Any, ...]) -> None:
        value, code = None, None
        try:
            value = verb_of(verb)(*arguments)
        except ServingError as error:
            value, code = error.message, error.code.value
        except Exception as error:
            log.exception("%s failed", verb)
            value, code = f"{type(error).__name__}: {error}", Code.INTERNAL.value
        with sending:
            connection.send((number, value, code))

    try:
        while True:
            question = connection.recv()
            threading.Thread(target=work, args=question, name=question[1], daemon=True).start()
    except (EOFError, OSError):
        return
