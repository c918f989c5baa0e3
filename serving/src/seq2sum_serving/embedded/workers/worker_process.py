"""The process of a replica: it begins, and ends when the first process says so or is gone."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from seq2sum_serving.embedded import memory
from seq2sum_serving.embedded.workers.dispatcher import answer

if TYPE_CHECKING:
    from seq2sum_serving.embedded.workers.worker import Replica

log = logging.getLogger(__name__)

FAILED = 1
"""Exit code of a replica that could not begin, or whose first process is gone."""


class Process:
    """What the first process can ask for, from before TensorFlow is loaded."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._replica: Future[Replica] = Future()
        self._folder: Path | None = None

    def run(self) -> NoReturn:
        """Answers; the main thread is where TensorFlow is loaded."""
        try:
            config = self._connection.recv_bytes()
        except (EOFError, OSError):
            leave(FAILED)
        threading.Thread(target=self._answer, name="line", daemon=True).start()
        try:
            from seq2sum_serving.embedded.workers.worker import Replica

            self._replica.set_result(Replica(pickle.loads(config)))
        except Exception:
            log.exception("The replica cannot start")
            leave(FAILED)
        while True:
            threading.Event().wait()

    def _answer(self) -> NoReturn:
        answer(self._connection, self._verb)
        # The first process is gone, killed perhaps, and its calls with it.
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        leave(FAILED)

    def _verb(self, name: str) -> Callable[..., Any]:
        if name == "leave":
            return lambda: leave(0)
        if name == "open":
            return self._open
        return getattr(self._replica.result(), name)  # type: ignore[no-any-return]

    def _open(self, socket_path: str) -> None:
        self._folder = Path(socket_path).parent
        memory.settle()
        self._replica.result().open(socket_path)


def leave(code: int) -> NoReturn:
    """Ends the process; whoever is still inside TensorFlow is not waited for."""
    logging.shutdown()
    os._exit(code)


def main() -> NoReturn:
    """Runs a replica.

    The command line is its name in logs, and the number of the file that leads to the first
    process, which sends a pickled ServerConfig before anything else.
    """
    name, file = sys.argv[1:]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(
        level=logging.INFO,
        format=f"%(asctime)s %(levelname).1s [{name}] %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    memory.limit()
    Process(Connection(int(file))).run()


if __name__ == "__main__":
    main()
