"""The replicas of a server, as the first process sees them."""

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
from seq2sum_serving.embedded.monitoring.exposition import Snapshot
from seq2sum_serving.embedded.reservation import Reservation
from seq2sum_serving.embedded.workers.dispatcher import Line

log = logging.getLogger(__name__)

MODULE = "seq2sum_serving.embedded.workers.worker_process"
SECONDS_FOR_METRICS = 1.0
"""A replica that takes longer is shown as it was."""
SECONDS_TO_END = 5.0
"""For a replica, beyond the grace of its calls."""
SOCKET = "model-service"
"""Where the first process answers ModelService for all; a file in a folder of its own."""


@dataclass
class Replica:
    """One of them."""

    name: str
    """What logs call it."""
    process: subprocess.Popen[bytes]
    line: Line
    snapshot: Snapshot = field(default_factory=dict)
    """Its metrics, when it last told them."""


class Fleet:
    """All processes but the first one. Safe to use from any thread."""

    def __init__(self, config: ServerConfig, on_end: Callable[[], None]) -> None:
        """Takes the port, and starts the processes; they load TensorFlow meanwhile.

        Args:
            config: The server.
            on_end: Called when a replica ends before it is told to, which has been logged then.

        Raises:
            StartupError: The port is taken.
        """
        self._on_end = on_end
        self._ending = False
        self._folder: Path | None = None
        self._port = Reservation(config.host, config.port)
        own = replace(config, socket_path="")  # it is the first process's alone
        self._replicas = [_started(number, own) for number in range(1, config.processes)]
        for replica in self._replicas:
            threading.Thread(
                target=self._watch, args=(replica,), name=replica.name, daemon=True
            ).start()

    def ask(self, verb: str, *arguments: Any) -> list[Future[Any]]:
        """Asks all of them the same; each answers on its own."""
        return [replica.line.ask(verb, *arguments) for replica in self._replicas]

    def label(self, labels: Labels) -> None:
        """Sets the labels; returns when no replica answers by the old ones.

        Raises:
            ServingError: A replica ended.
        """
        plain = {model: dict(versions) for model, versions in labels.items()}
        for told in self.ask("label", plain):
            told.result()

    def prepare(self) -> str:
        """Lets the port be shared; gives the path of the socket for ModelService."""
        self._port.share()
        self._folder = Path(tempfile.mkdtemp(prefix="seq2sum-serve-"))  # for this user alone
        return str(self._folder / SOCKET)

    def open(self) -> None:
        """Opens the port in all of them; the first process listens on its socket already.

        Raises:
            ServingError: One of them cannot.
        """
        assert self._folder is not None
        for opened in self.ask("open", str(self._folder / SOCKET)):
            opened.result()

    def snapshots(self) -> list[Snapshot]:
        """The metrics of each, as they are now, or as they last were."""
        asked = self.ask("snapshot")
        wait(asked, SECONDS_FOR_METRICS)
        for replica, told in zip(self._replicas, asked, strict=True):
            if told.done() and not told.exception():
                replica.snapshot = told.result()
        return [replica.snapshot for replica in self._replicas]

    def stop(self, grace: float) -> None:
        """Lets calls in flight finish, everywhere at once, and ends the processes.

        Args:
            grace: Seconds that the calls may take.
        """
        self._ending = True
        deadline = time.monotonic() + grace + SECONDS_TO_END
        wait(self.ask("stop", grace), deadline - time.monotonic())
        self.ask("leave")
        for replica in self._replicas:
            try:
                replica.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("%s does not end, and is killed", replica.name)
        self.close()

    def close(self) -> None:
        """Ends what is left of them at once, and removes the socket."""
        self._ending = True
        for replica in self._replicas:
            replica.process.kill()
        for replica in self._replicas:
            replica.process.wait()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._port.close()

    def _watch(self, replica: Replica) -> None:
        replica.line.read()
        code = replica.process.wait()
        if not self._ending:
            log.error("%s has ended with code %d; the server stops", replica.name, code)
            self._on_end()


def _started(number: int, config: ServerConfig) -> Replica:
    """A process of its own, from nothing: what has TensorFlow loaded cannot be forked."""
    name = f"replica {number}"
    ours, theirs = socket.socketpair()
    # What a terminal sends goes to all of them, and only the first one decides what it means:
    # the replica gets it blocked, until it has its own way to leave it alone.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        with theirs:
            process = subprocess.Popen(
                # Not from the folder that this happens to run in.
                [sys.executable, "-P", "-m", MODULE, name, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    connection = Connection(ours.detach())
    line = Line(connection, name)
    connection.send_bytes(pickle.dumps(config))  # it is read before TensorFlow is loaded
    return Replica(name, process, line)
