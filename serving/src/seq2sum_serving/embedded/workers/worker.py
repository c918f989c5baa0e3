"""A replica: it loads what it is told to, and answers PredictionService with it.

It decides nothing: versions and labels come from the first process.
"""

from __future__ import annotations

import asyncio
import threading

from seq2sum_serving.embedded.config import CoreOptions, ServerConfig
from seq2sum_serving.embedded.inference.loader import Loader, make_loader
from seq2sum_serving.embedded.inference.servable import Servable
from seq2sum_serving.embedded.lifecycle.labels import Labels
from seq2sum_serving.embedded.lifecycle.serving_map import ServingMap
from seq2sum_serving.embedded.monitoring import exposition
from seq2sum_serving.embedded.prediction_service import DataPlane
from seq2sum_serving.embedded.rpc.gate import Gate
from seq2sum_serving.embedded.rpc.grpc_server import GrpcFront
from seq2sum_serving.embedded.server_core import Core
from seq2sum_serving.embedded.workers.forwarding import Forwarding


class ReplicaCore(Core):
    """A core that answers requests, and whose versions and labels somebody else sets."""

    def __init__(self, serving: ServingMap[Servable], load: Loader) -> None:
        super().__init__(load, CoreOptions(), threading.Event())
        self._handle = serving.handle

    def label(self, labels: Labels) -> None:
        """Sets the labels."""
        self._labels = labels


class Replica:
    """What the first process may ask for: each method is a verb of the line."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._load = make_loader(config)
        self._loaded: dict[tuple[str, int], Servable] = {}
        self._added: set[tuple[str, int]] = set()
        self._serving: ServingMap[Servable] = ServingMap()
        self._core = ReplicaCore(self._serving, self._load)
        self._front: GrpcFront | None = None

    def load(self, model: str, version: int, path: str) -> None:
        """Loads a version, without serving it; raises ServingError."""
        self._loaded[model, version] = self._load(model, version, path)

    def add(self, model: str, version: int) -> None:
        """Serves a version that is loaded, and waits for the requests that began before."""
        self._serving.add(model, version, self._loaded[model, version])
        self._added.add((model, version))

    def close(self, model: str, version: int) -> None:
        """Takes a version out when its requests have ended; one that is not there is fine."""
        servable = self._loaded.pop((model, version), None)
        if servable is None:
            return
        if (model, version) in self._added:
            self._added.remove((model, version))
            self._serving.remove(model, version)
        servable.close()

    def label(self, labels: Labels) -> None:
        """Sets the labels."""
        self._core.label(labels)

    def open(self, socket_path: str) -> None:
        """Opens the port; raises StartupError."""
        plane = DataPlane(self._core, self._config.inference)
        gate = Gate()
        forwarding = Forwarding(socket_path, gate)
        self._front = GrpcFront(plane, self._core, self._config, before=[forwarding], gate=gate)
        asyncio.run(self._front.start())

    def snapshot(self) -> exposition.Snapshot:
        """The metrics of this process."""
        return exposition.snapshot()

    def stop(self, grace: float) -> None:
        """Refuses new calls; returns when those in flight have ended, or after seconds of grace."""
        if self._front:
            asyncio.run(self._front.stop(grace))
