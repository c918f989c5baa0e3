"""The composition root: builds the parts of a server, starts them, and stops them in order.

The gRPC port opens only when every model has a version that is AVAILABLE, so that whoever
waits for the port waits for the model. The first SIGTERM or SIGINT refuses new calls and lets
those in flight finish; the second one ends the process at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc

from seq2sum_serving.embedded import saved_model
from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.errors import Code, StartupError
from seq2sum_serving.embedded.manager import Manager
from seq2sum_serving.embedded.ports import address, cannot_listen
from seq2sum_serving.embedded.service import Service
from seq2sum_serving.embedded.source import FileSystemSource
from seq2sum_serving.embedded.states import State, StateMonitor

log = logging.getLogger(__name__)

BROKEN = 1
"""Exit code of a server that could not go on."""
MANAGER_TICK_SECONDS = 0.1
STARTUP_TICK_SECONDS = 0.05

GRPC_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Two servers on one port would share its calls at random; a taken port is an error here.
    ("grpc.so_reuseport", 0),
)


class Server:
    """One server process's worth of parts."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._stop = threading.Event()
        self._broken = threading.Event()
        self._monitor = StateMonitor()
        self._manager = Manager(
            saved_model.load,
            self._monitor,
            retries=config.load_retries,
            pause=lambda: self._stop.wait(config.retry_seconds),
        )
        self._source = FileSystemSource(config.models, self._manager.set_aspired)
        self._workers = ThreadPoolExecutor(config.max_threads, "request")

    async def run(self) -> int:
        """Serves until a signal; gives back the exit code.

        Raises:
            StartupError: A model cannot be loaded, or the port cannot be opened.
        """
        stopping = asyncio.Event()
        self._on_signals(stopping)
        for name, body in (("source", self._poll), ("manager", self._manage)):
            self._start(name, body, stopping)
        try:
            if await self._models_ready(stopping):
                await self._serve(stopping)
        finally:
            self._stop.set()
            self._workers.shutdown(wait=False, cancel_futures=True)
        return BROKEN if self._broken.is_set() else 0

    async def _serve(self, stopping: asyncio.Event) -> None:
        config = self._config
        server = grpc.aio.server(options=GRPC_OPTIONS)
        server.add_generic_rpc_handlers((Service(self._manager, self._monitor, self._workers),))
        try:
            server.add_insecure_port(address(config.host, config.port))
        except RuntimeError as error:  # gRPC does not say more; it was free a moment ago
            raise cannot_listen(config.host, config.port, error) from error
        await server.start()
        log.info("Running gRPC ModelServer at %s ...", address(config.host, config.port))
        await stopping.wait()
        log.info("Stopping: new calls are refused, those in flight may finish")
        await server.stop(config.grace_seconds)

    async def _models_ready(self, stopping: asyncio.Event) -> bool:
        """Waits until a version of every model serves; False if told to stop before."""
        names = [model.name for model in self._config.models]
        while not all(map(self._monitor.settled, names)):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), STARTUP_TICK_SECONDS)
            if stopping.is_set():
                return False
        failures = [
            f"{{{{name: {name} version: {number}}} due to error: {entry.error}}}"
            for name in names
            for number, entry in self._monitor.versions(name).items()
            if entry.state is State.END
        ]
        if failures:
            raise StartupError(
                Code.UNKNOWN,
                f"{len(failures)} servable(s) did not become available: "
                f"{{{', '.join(failures)}, }}",
            )
        return True

    def _start(self, name: str, body: Callable[[], None], stopping: asyncio.Event) -> None:
        """Starts a thread without which the server is no use: its end by an error ends all."""
        loop = asyncio.get_running_loop()

        def guarded() -> None:
            try:
                body()
            except Exception:
                log.exception("The %s thread failed; the server stops", name)
                self._broken.set()
                loop.call_soon_threadsafe(stopping.set)

        threading.Thread(target=guarded, name=name, daemon=True).start()

    def _poll(self) -> None:
        seconds = self._config.poll_seconds
        if seconds < 0:
            return
        self._source.poll()
        while seconds and not self._stop.wait(seconds):
            self._source.poll()

    def _manage(self) -> None:
        while not self._stop.is_set():
            if not self._manager.step():
                self._stop.wait(MANAGER_TICK_SECONDS)

    def _on_signals(self, stopping: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT)

        def stop() -> None:
            stopping.set()
            for number in numbers:  # the next one is the system's
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)

        for number in numbers:
            loop.add_signal_handler(number, stop)
