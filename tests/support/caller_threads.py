"""Threads that make calls while a test or a benchmark does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Self


class CallerThreads:
    """Threads that run during a `with` block. A subclass defines what each runs."""

    def __init__(self) -> None:
        self.over = threading.Event()
        """Set at the end of the block; each thread then makes no further call."""
        self._threads: list[threading.Thread] = []

    def functions(self) -> Sequence[Callable[[], object]]:
        """Returns one function for each thread; it runs until `over` is set."""
        raise NotImplementedError

    def close(self) -> None:
        """Releases resources after all threads have ended."""

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=function) for function in self.functions()]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()
        self.close()
