"""Threads that ask while a test does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Self


class AskingThreads:
    """They begin with a `with` block and are done when it ends; a subclass says what each does."""

    def __init__(self) -> None:
        self.over = threading.Event()
        """Set when the block ends: each of them then makes no further call."""
        self._threads: list[threading.Thread] = []

    def works(self) -> Sequence[Callable[[], object]]:
        """What each thread runs, until it is over."""
        raise NotImplementedError

    def close(self) -> None:
        """What there is to close when all threads are done."""

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=work) for work in self.works()]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join()
        self.close()
