"""The worker processes of a server, as its first process manages them."""

from __future__ import annotations

import logging
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.lifecycle.labels import Labels
from seq2sum_serving.embedded.monitoring.exposition import MetricValues
from seq2sum_serving.embedded.ports import PortReservation
from seq2sum_serving.embedded.workers.dispatcher import Dispatcher

log = logging.getLogger(__name__)

MODULE = "seq2sum_serving.embedded.workers.worker_process"
METRICS_TIMEOUT_SECONDS = 1.0
"""If a worker takes longer, its last known metrics are used."""
EXIT_SECONDS = 5.0
"""Time for a worker to exit after the grace period of its calls."""
SOCKET = "model-service"
"""File name of the socket on which the first process serves ModelService to the workers."""


@dataclass
class WorkerHandle:
    """One worker process."""

    name: str
    """Its name in logs."""
    process: subprocess.Popen[bytes]
    dispatcher: Dispatcher
    metrics: MetricValues = field(default_factory=dict)
    """Its last known metrics."""


class WorkerPool:
    """All processes of a server except the first one. Safe to use from any thread."""

    def __init__(self, config: ServerConfig, on_exit: Callable[[], None]) -> None:
        """Reserves the port and starts the processes, which then load TensorFlow.

        Args:
            config: The server's configuration.
            on_exit: Called after the unexpected exit of a worker has been logged.

        Raises:
            StartupError: The port is in use.
        """
        self._on_exit = on_exit
        self._stopping = False
        self._folder: Path | None = None
        self._port = PortReservation(config.host, config.port)
        worker_config = replace(config, socket_path="")  # only the first process serves it
        self._workers = [_start(number, worker_config) for number in range(1, config.processes)]
        for worker in self._workers:
            threading.Thread(
                target=self._watch, args=(worker,), name=worker.name, daemon=True
            ).start()

    def call(self, method: str, *arguments: Any) -> list[Future[Any]]:
        """Calls a method of every worker."""
        return [worker.dispatcher.call(method, *arguments) for worker in self._workers]

    def set_labels(self, labels: Labels) -> None:
        """Sets the labels; returns when every worker uses them.

        Raises:
            ServingError: A worker has ended.
        """
        plain = {model: dict(versions) for model, versions in labels.items()}
        for done in self.call("set_labels", plain):
            done.result()

    def prepare(self) -> str:
        """Lets the workers share the port; returns the path of the socket for ModelService."""
        self._port.share()
        self._folder = Path(tempfile.mkdtemp(prefix="seq2sum-serve-"))  # for this user only
        return str(self._folder / SOCKET)

    def open(self) -> None:
        """Opens the port in all workers, after the first process has opened its socket.

        Raises:
            ServingError: A worker cannot open it.
        """
        assert self._folder is not None
        for opened in self.call("open", str(self._folder / SOCKET)):
            opened.result()

    def metrics(self) -> list[MetricValues]:
        """Returns the current metrics of each worker, or its last known ones."""
        calls = self.call("metrics")
        wait(calls, METRICS_TIMEOUT_SECONDS)
        for worker, call in zip(self._workers, calls, strict=True):
            if call.done() and not call.exception():
                worker.metrics = call.result()
        return [worker.metrics for worker in self._workers]

    def stop(self, grace: float) -> None:
        """Finishes the calls of all workers concurrently, and ends the processes.

        Args:
            grace: Seconds that running calls may take.
        """
        self._stopping = True
        deadline = time.monotonic() + grace + EXIT_SECONDS
        wait(self.call("stop", grace), deadline - time.monotonic())
        self.call("exit")
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("%s did not exit in time and is killed", worker.name)
        self.close()

    def close(self) -> None:
        """Kills the processes that still run, and removes the socket."""
        self._stopping = True
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.wait()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._port.close()

    def _watch(self, worker: WorkerHandle) -> None:
        worker.dispatcher.read_results()
        code = worker.process.wait()
        if not self._stopping:
            log.error("%s exited with code %d; the server stops", worker.name, code)
            self._on_exit()


def _start(number: int, config: ServerConfig) -> WorkerHandle:
    """Starts a worker as a new process: a process that has loaded TensorFlow cannot be forked."""
    name = f"worker {number}"
    ours, theirs = socket.socketpair()
    # A terminal sends signals to all processes, and only the first one handles them: a worker
    # starts with them blocked, until it ignores them.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        with theirs:
            process = subprocess.Popen(
                # -P: modules are not imported from the current folder.
                [sys.executable, "-P", "-m", MODULE, name, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    connection = Connection(ours.detach())
    dispatcher = Dispatcher(connection, name)
    connection.send_bytes(pickle.dumps(config))  # read before TensorFlow is loaded
    return WorkerHandle(name, process, dispatcher)
