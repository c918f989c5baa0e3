"""The process of a worker, which ends with the first process of the server."""

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

from seq2sum_serving.embedded import memory, partial_tensorflow
from seq2sum_serving.embedded.workers.dispatcher import run_calls

if TYPE_CHECKING:
    from seq2sum_serving.embedded.workers.worker import Worker

log = logging.getLogger(__name__)

FAILED = 1
"""Exit code of a worker that could not start, or that outlived the first process."""


class WorkerProcess:
    """Runs calls for the first process; accepts them even before TensorFlow is loaded."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._worker: Future[Worker] = Future()
        self._folder: Path | None = None

    def run(self) -> NoReturn:
        """Starts to run calls, and loads TensorFlow in the main thread."""
        try:
            config = self._connection.recv_bytes()
        except (EOFError, OSError):
            leave(FAILED)
        threading.Thread(target=self._run_calls, name="calls", daemon=True).start()
        try:
            with memory.collections_paused():
                from seq2sum_serving.embedded.workers.worker import Worker

            self._worker.set_result(Worker(pickle.loads(config)))
        except Exception:
            log.exception("The worker cannot start")
            leave(FAILED)
        while True:
            threading.Event().wait()

    def _run_calls(self) -> NoReturn:
        run_calls(self._connection, self._method)
        # The first process has ended, perhaps killed, and its calls with it.
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        leave(FAILED)

    def _method(self, name: str) -> Callable[..., Any]:
        if name == "exit":
            return lambda: leave(0)
        if name == "open":
            return self._open
        return getattr(self._worker.result(), name)  # type: ignore[no-any-return]

    def _open(self, socket_path: str) -> None:
        self._folder = Path(socket_path).parent
        memory.freeze_objects()
        self._worker.result().open(socket_path)


def leave(code: int) -> NoReturn:
    """Ends the process without waiting for threads, which may be inside TensorFlow."""
    logging.shutdown()
    os._exit(code)


def main() -> NoReturn:
    """Runs a worker.

    The arguments are its name in logs, and the file descriptor of the socket to the first process,
    which first sends a pickled ServerConfig.
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
    memory.configure_malloc()
    partial_tensorflow.install()
    WorkerProcess(Connection(int(file))).run()


if __name__ == "__main__":
    main()
