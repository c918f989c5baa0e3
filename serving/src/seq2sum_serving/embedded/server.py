"""A server process: builds its parts, starts them, and stops them in order.

The ports open only when every model has an AVAILABLE version, so that a client that waits for a
port waits for the models. Until then a signal ends the process at once, as no call is running.
After that, the first SIGTERM or SIGINT refuses new calls and finishes running calls, and the second
ends the process.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable

from seq2sum_serving.embedded import memory
from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.errors import ServingError, StartupError
from seq2sum_serving.embedded.inference import version_files
from seq2sum_serving.embedded.loader import make_loader
from seq2sum_serving.embedded.log_throttle import LogThrottle
from seq2sum_serving.embedded.model_config import read_model_config
from seq2sum_serving.embedded.prediction_service import PredictionService
from seq2sum_serving.embedded.rest.http_server import RestOptions, RestServer
from seq2sum_serving.embedded.rest.router import RouterOptions
from seq2sum_serving.embedded.rpc.front import make_server
from seq2sum_serving.embedded.rpc.handlers import model_methods, prediction_methods
from seq2sum_serving.embedded.server_core import ServerCore

log = logging.getLogger(__name__)

FAILED = 1
"""Exit code of a server that failed while it was serving."""
DEFAULT_METRICS_PATH = "/monitoring/prometheus/metrics"
MANAGER_STOP_SECONDS = 5.0
"""Time for the manager's thread to end after a failed start."""
MANAGER_INTERVAL_SECONDS = 0.1
"""Time between two actions of the manager (aspired_versions_manager.h)."""


class Server:
    """One server process."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._stop = threading.Event()
        self._loaded = threading.Event()
        self._failed = threading.Event()
        self._on_failure: Callable[[], object] = lambda: None
        self._core = ServerCore(
            make_loader(config), config.core, self._stop, check=version_files.check
        )

    def load(self) -> None:
        """Loads the first configuration; returns when all of its models serve.

        Raises:
            StartupError: The configuration is invalid, or a model cannot be loaded.
        """
        manager = self._start_thread("manager", self._manage)
        if self._config.core.poll_seconds > 0:
            self._start_thread("source", self._poll_base_paths)
        try:
            self._core.configure(self._config.models)
        except ServingError as error:
            self._stop.set()  # so that the error is the last line printed
            manager.join(MANAGER_STOP_SECONDS)
            raise StartupError(error.code, error.message) from error
        self._loaded.set()
        if self._config.model_config_file and self._config.model_config_file_poll_seconds > 0:
            self._start_thread("config", self._poll_config_file)

    async def serve(self) -> int:
        """Serves until a signal, and returns the exit code.

        Raises:
            StartupError: A port cannot be opened.
        """
        memory.freeze_objects()
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        config, core = self._config, self._core
        predictions = PredictionService(core.handle, config.inference)
        grpc_server = make_server(prediction_methods(predictions) | model_methods(core), config)
        rest = RestServer(predictions, core, _rest_options(config)) if _has_rest(config) else None
        self._on_failure = lambda: loop.call_soon_threadsafe(stopping.set)
        try:
            grpc_server.start()
            if rest:
                try:
                    rest.start(config.host, config.rest_port)
                except ServingError:
                    grpc_server.stop(0)
                    raise
            _on_signals(stopping)
            if self._failed.is_set():
                return FAILED
            await stopping.wait()
            log.info("Stopping: running calls are finished, new calls are refused")
            parts = [part for part in (grpc_server, rest) if part]
            await asyncio.gather(
                *(asyncio.to_thread(part.stop, config.grace_seconds) for part in parts)
            )
        finally:
            self._stop.set()
        return FAILED if self._failed.is_set() else 0

    def _start_thread(self, name: str, body: Callable[[], None]) -> threading.Thread:
        """Starts a thread that the server cannot do without: an exception in it ends the server."""

        def guarded() -> None:
            try:
                body()
            except Exception:
                log.exception("The %s thread failed; the server stops", name)
                self._fail()

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        thread.start()
        return thread

    def _fail(self) -> None:
        """Ends the server, from any thread."""
        self._failed.set()
        self._stop.set()
        self._on_failure()

    def _manage(self) -> None:
        """Runs the manager; without pauses before the ports open, to start all loads at once."""
        while not self._stop.is_set():
            if not self._core.manager.step() or self._loaded.is_set():
                self._stop.wait(MANAGER_INTERVAL_SECONDS)

    def _poll_base_paths(self) -> None:
        while not self._stop.wait(self._config.core.poll_seconds):
            self._core.source.poll()

    def _poll_config_file(self) -> None:
        """Applies the config file periodically, changed or not (model_servers/server.cc)."""
        throttle = LogThrottle()
        while not self._stop.wait(self._config.model_config_file_poll_seconds):
            try:
                self._core.configure(read_model_config(self._config.model_config_file))
                throttle.forget(None)
            except ServingError as error:
                text = " ".join(str(error).split())
                if throttle.is_due(None, text):
                    log.error("PollFilesystemAndReloadConfig failed to ReloadConfig: %s", text)


def _has_rest(config: ServerConfig) -> bool:
    """Returns whether to open the REST port.

    It stays closed without its monitoring file: recorded case `flags/monitoring-file-missing`.
    """
    if config.rest_port and config.monitoring_error:
        log.error("REST API disabled: the monitoring file is invalid: %s", config.monitoring_error)
    return bool(config.rest_port) and not config.monitoring_error


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
        for number in numbers:  # the next signal ends the process
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in numbers:
        loop.add_signal_handler(number, stop)
