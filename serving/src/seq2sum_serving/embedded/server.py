"""The composition root: builds the parts of a server, starts them, and stops them in order.

The ports open only when every model has a version that is AVAILABLE, so that whoever waits for
a port waits for the models; until then a signal ends the process at once, as there is nothing
to drain. After that the first SIGTERM or SIGINT refuses new calls and lets those in flight
finish, and the second one ends the process.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable

from seq2sum_serving.embedded import config_file, memory
from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.errors import ServingError, StartupError
from seq2sum_serving.embedded.inference import version_files
from seq2sum_serving.embedded.inference.loader import make_loader
from seq2sum_serving.embedded.monitoring import exposition
from seq2sum_serving.embedded.prediction_service import DataPlane
from seq2sum_serving.embedded.repeated import Repeated
from seq2sum_serving.embedded.rest.http_server import RestOptions, RestServer
from seq2sum_serving.embedded.rest.router import RouterOptions
from seq2sum_serving.embedded.rpc.grpc_server import GrpcFront
from seq2sum_serving.embedded.server_core import Core
from seq2sum_serving.embedded.workers.loader import Load, ReplicatedLoader
from seq2sum_serving.embedded.workers.pool import Fleet

log = logging.getLogger(__name__)

BROKEN = 1
"""Exit code of a server that could not go on."""
DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"
SECONDS_TO_STOP = 5.0
"""For the manager, once a start has failed."""
MANAGER_TICK_SECONDS = 0.1
"""Between two actions of the manager, as in TensorFlow Serving."""


class Server:
    """One server process's worth of parts."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._stop = threading.Event()
        self._loaded = threading.Event()
        self._broken = threading.Event()
        self._on_broken: Callable[[], object] = lambda: None
        load: Load = make_loader(config)
        self._fleet: Fleet | None = None
        on_labels = None
        if config.processes > 1:
            self._fleet = Fleet(config, self._break)
            load = ReplicatedLoader(load, self._fleet)
            on_labels = self._fleet.label
            exposition.add_up(self._fleet.snapshots)
        self._core = Core(
            load, config.core, self._stop, check=version_files.check, on_labels=on_labels
        )

    def load(self) -> None:
        """Loads the first configuration; returns when every model of it serves.

        Raises:
            StartupError: It is refused, or a model cannot be loaded.
        """
        manager = self._start("manager", self._manage)
        if self._config.core.poll_seconds > 0:
            self._start("source", self._poll_base_paths)
        try:
            self._core.configure(self._config.models)
        except ServingError as error:
            self._stop.set()  # what is printed next is to be the last line
            if self._fleet:
                self._fleet.close()  # which also ends loads that wait for it
            manager.join(SECONDS_TO_STOP)
            raise StartupError(error.code, error.message) from error
        self._loaded.set()
        if self._config.model_config_file and self._config.model_config_file_poll_seconds > 0:
            self._start("config", self._poll_config_file)

    async def serve(self) -> int:
        """Serves until a signal; gives back the exit code.

        Raises:
            StartupError: A port cannot be opened.
        """
        memory.settle()
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        config = self._config
        plane = DataPlane(self._core, config.inference)
        front = GrpcFront(plane, self._core, config)
        rest = RestServer(plane, self._core, _rest_options(config)) if _has_rest(config) else None
        self._on_broken = lambda: loop.call_soon_threadsafe(stopping.set)
        fleet = self._fleet
        try:
            await front.start(inner_socket=fleet.prepare() if fleet else "")
            try:
                if fleet:
                    await asyncio.to_thread(fleet.open)
                if rest:
                    rest.start(config.host, config.rest_port)
            except ServingError:
                await front.stop(0)
                raise
            _on_signals(stopping)
            if self._broken.is_set():
                return BROKEN
            await stopping.wait()
            log.info("Stopping: calls that have begun are answered, new calls are refused")
            ends = [front.stop(config.grace_seconds)]
            if rest:
                ends.append(asyncio.to_thread(rest.stop, config.grace_seconds))
            if fleet:
                ends.append(asyncio.to_thread(fleet.stop, config.grace_seconds))
            await asyncio.gather(*ends)
        finally:
            self._stop.set()
            if fleet:
                fleet.close()
        return BROKEN if self._broken.is_set() else 0

    def _start(self, name: str, body: Callable[[], None]) -> threading.Thread:
        """Starts a thread without which the server is no use: its end by an error ends all."""

        def guarded() -> None:
            try:
                body()
            except Exception:
                log.exception("The %s thread failed; the server stops", name)
                self._break()

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        return thread

    def _break(self) -> None:
        """Ends the server, from any thread."""
        self._broken.set()
        self._stop.set()
        self._on_broken()

    def _manage(self) -> None:
        """Steps for ever; at the start without pauses, so that all first loads are begun at once.

        The ports open when those that were begun have ended.
        """
        while not self._stop.is_set():
            if not self._core.manager.step() or self._loaded.is_set():
                self._stop.wait(MANAGER_TICK_SECONDS)

    def _poll_base_paths(self) -> None:
        while not self._stop.wait(self._config.core.poll_seconds):
            self._core.source.poll()

    def _poll_config_file(self) -> None:
        """Applies the file again and again, changed or not, as there."""
        repeated = Repeated()
        while not self._stop.wait(self._config.model_config_file_poll_seconds):
            try:
                self._core.configure(config_file.read(self._config.model_config_file))
                repeated.forget(None)
            except ServingError as error:
                text = " ".join(str(error).split())
                if repeated.is_due(None, text):
                    log.error("PollFilesystemAndReloadConfig failed to ReloadConfig: %s", text)


def _has_rest(config: ServerConfig) -> bool:
    """Whether the REST port opens; as there, it stays shut without its monitoring file."""
    if config.rest_port and config.monitoring_broken:
        log.error("No REST API, since there is no monitoring: %s", config.monitoring_broken)
    return bool(config.rest_port) and not config.monitoring_broken


def _rest_options(config: ServerConfig) -> RestOptions:
    prometheus = config.monitoring.prometheus_config if config.monitoring else None
    path = None
    if prometheus and prometheus.enable:
        path = prometheus.path or DEFAULT_METRICS_PATH
    return RestOptions(
        threads=config.rest_threads,
        timeout=config.rest_timeout_seconds,
        router=RouterOptions(cors=config.rest_cors, metrics_path=path),
    )


def _on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def stop() -> None:
        stopping.set()
        for number in numbers:  # the next one is the system's
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in numbers:
        loop.add_signal_handler(number, stop)
