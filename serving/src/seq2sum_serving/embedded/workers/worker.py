"""A worker: loads versions and serves PredictionService as the first process decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seq2sum_serving.embedded.config import ServerConfig
from seq2sum_serving.embedded.inference.servable import Servable
from seq2sum_serving.embedded.lifecycle.labels import Labels
from seq2sum_serving.embedded.lifecycle.serving_map import ServingMap
from seq2sum_serving.embedded.loader import make_loader
from seq2sum_serving.embedded.model_spec import ModelSpecResolver
from seq2sum_serving.embedded.monitoring import exposition
from seq2sum_serving.embedded.prediction_service import PredictionService
from seq2sum_serving.embedded.rpc.front import make_server
from seq2sum_serving.embedded.rpc.gate import Gate
from seq2sum_serving.embedded.rpc.grpc_server import GrpcServer
from seq2sum_serving.embedded.rpc.handlers import prediction_methods
from seq2sum_serving.embedded.workers.model_service_proxy import ModelServiceProxy

if TYPE_CHECKING:
    from seq2sum_serving.embedded.rpc.native_server import NativeServer


class Worker:
    """The methods that the first process calls."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._load = make_loader(config)
        self._loaded: dict[tuple[str, int], Servable] = {}
        self._added: set[tuple[str, int]] = set()
        self._serving: ServingMap[Servable] = ServingMap()
        self._resolver = ModelSpecResolver(self._serving.handle)
        self._server: GrpcServer | NativeServer | None = None

    def load(self, model: str, version: int, path: str) -> None:
        """Loads a version, without serving it; raises ServingError."""
        self._loaded[model, version] = self._load(model, version, path)

    def add(self, model: str, version: int) -> None:
        """Serves a loaded version, and waits for the requests that started before."""
        self._serving.add(model, version, self._loaded[model, version])
        self._added.add((model, version))

    def close(self, model: str, version: int) -> None:
        """Closes a version when its requests have ended; ignores one that is not loaded."""
        servable = self._loaded.pop((model, version), None)
        if servable is None:
            return
        if (model, version) in self._added:
            self._added.remove((model, version))
            self._serving.remove(model, version)
        servable.close()

    def set_labels(self, labels: Labels) -> None:
        """Sets the labels of all models."""
        self._resolver.labels = labels

    def open(self, socket_path: str) -> None:
        """Opens the port; raises StartupError."""
        predictions = PredictionService(self._resolver.handle, self._config.inference)
        gate = Gate()
        self._server = make_server(
            prediction_methods(predictions),
            self._config,
            gate=gate,
            first_handlers=[ModelServiceProxy(socket_path, gate)],
        )
        self._server.start()

    def metrics(self) -> exposition.MetricValues:
        """Returns the metrics of this process."""
        return exposition.own_values()

    def stop(self, grace: float) -> None:
        """Refuses new calls; returns when running calls have ended, or after `grace` seconds."""
        if self._server:
            self._server.stop(grace)
