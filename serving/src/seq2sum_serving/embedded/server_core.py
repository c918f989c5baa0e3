"""ServerCore: the models and labels of a server, and their reloads.

Every change of the models goes through ServerCore, one at a time: the first configuration, reloads
by RPC, and reloads of the config file. A change that waits for a load that never ends blocks all
later changes, as in TensorFlow Serving (server_core.cc); requests are served meanwhile.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, model_pb2
from tensorflow_serving.config import model_server_config_pb2

from seq2sum_serving.embedded.config import CoreOptions
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference.servable import Servable
from seq2sum_serving.embedded.lifecycle import labels, models
from seq2sum_serving.embedded.lifecycle.manager import Check, Manager
from seq2sum_serving.embedded.lifecycle.source import FileSystemSource
from seq2sum_serving.embedded.lifecycle.states import (
    Settled,
    State,
    StateMonitor,
    VersionState,
    Watch,
)
from seq2sum_serving.embedded.model_config import models_of
from seq2sum_serving.embedded.model_spec import Handle, ModelSpecResolver, model_spec_of
from seq2sum_serving.embedded.monitoring.exposition import first_cell

log = logging.getLogger(__name__)

STARTUP_THREADS_PER_CPU = 4
"""Threads for the first loads, whatever `--num_load_threads` is."""
STOP_TICK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model, for the overview page."""

    name: str
    """Name that requests use."""
    base_path: str
    """Folder of its versions; empty for a model that is no longer configured."""
    labels: dict[str, int]
    """Versions by label."""
    versions: dict[int, VersionState]
    """States by version, newest first."""


class ServerCore:
    """The models of one server. Safe to use from any thread."""

    def __init__(
        self,
        load: Callable[[str, int, str], Servable],
        options: CoreOptions,
        stop: threading.Event,
        *,
        check: Check = lambda *_: None,
    ) -> None:
        """Makes a core without models.

        Args:
            load: The loader.
            options: Options from flags.
            stop: Set when the server stops, which ends the waiting for loads.
            check: Checks the files of a version before the first attempt to load it.
        """
        self._options = options
        self._stop = stop
        self._monitor = StateMonitor()
        self.manager: Manager[Servable] = Manager(
            load,
            self._monitor,
            check=check,
            retries=options.load_retries,
            pause=lambda: stop.wait(options.retry_seconds),
            load_threads=options.load_threads,
            unload_threads=options.unload_threads,
        )
        self.source = FileSystemSource(self.manager.set_aspired)
        self._resolver = ModelSpecResolver(self.manager.handle)
        self._changing = threading.Lock()
        self._models: tuple[models.Model, ...] | None = None
        self._running = False

    def handle(self, spec: model_pb2.ModelSpec) -> Handle:
        """Holds the version that a ModelSpec names; see `ModelSpecResolver.handle`."""
        return self._resolver.handle(spec)

    def status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Runs GetModelStatus.

        A label in the request is ignored (recorded case `status/label-ignored`).

        Raises:
            ServingError: The model or the version was never managed.
        """
        spec = model_spec_of(request)
        versions = self._monitor.versions(spec.name)
        if spec.HasField("version"):
            version = spec.version.value
            if version not in versions:
                raise ServingError(
                    Code.NOT_FOUND, f"Could not find version {version} of model {spec.name}"
                )
            versions = {version: versions[version]}
        elif not versions:
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for number, entry in versions.items():
            row = response.model_version_status.add(version=number, state=entry.state.value)
            row.status.SetInParent()
            if entry.error:
                row.status.error_code = entry.error.code.value
                # A message may quote bytes that are not UTF-8, which the field cannot hold.
                raw = entry.error.message.encode(errors="surrogateescape")
                row.status.error_message = raw.decode(errors="replace")
        return response

    def reload(
        self, request: model_management_pb2.ReloadConfigRequest
    ) -> model_management_pb2.ReloadConfigResponse:
        """Runs HandleReloadConfigRequest; returns when every new model has loaded or failed.

        Raises:
            ServingError: The configuration is invalid, or a new model failed.
        """
        if not request.config.HasField("model_config_list"):
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
                "ModelConfigList is currently supported",
            )
        before = {name: first_cell(name) for name in request.metric_names}
        self.configure(request.config)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        for name, value in before.items():
            response.metric.add(name=name, int64_value_increase=first_cell(name) - value)
        return response

    def configure(self, config: model_server_config_pb2.ModelServerConfig) -> None:
        """Sets the models and labels of the server, and waits for new models.

        The order of the steps is that of `ServerCore::ReloadConfig` (server_core.cc), and decides
        what has changed when a step fails: check the list, store it, set the labels, update the
        source, wait for new models.

        Raises:
            ServingError: A step failed.
        """
        with self._changing:
            if config.WhichOneof("config") is None:
                log.debug("Taking no action for empty config.")
                return
            new_models = models_of(config)
            models.check_list(new_models)
            models.check_transition(self._models or (), new_models)
            if new_models != self._models:
                log.info("Adding/updating models.")
            self._models = new_models
            self._resolver.labels = labels.assigned(
                {model.name: model.labels for model in new_models},
                self._resolver.labels or {},
                self._is_available,
                allow_unavailable=self._options.allow_unavailable_labels,
            )
            monitored = models.monitored(new_models)
            if not self._running:
                self._load_first(monitored)
            else:
                added = monitored.keys() - self.source.models.keys()
                with self._monitor.watch(added, include_past=False) as watch:
                    self.source.update(monitored)
                    self._await(watch, "model(s)")
            models.check_request_logging(new_models)

    def models(self) -> list[ModelView]:
        """Returns every model that is configured or has versions whose states are known."""
        known, assigned = self.source.models, self._resolver.labels or {}
        return [
            ModelView(
                name=name,
                base_path=known[name].base_path if name in known else "",
                labels=dict(assigned.get(name, {})),
                versions=self._monitor.versions(name),
            )
            for name in sorted({*known, *self._monitor.models()})
        ]

    def _load_first(self, monitored: dict[str, Any]) -> None:
        self.manager.set_load_threads(STARTUP_THREADS_PER_CPU * (os.cpu_count() or 1))
        try:
            # A model that failed before fails again at once: recorded case
            # `startup/config-file-with-nothing-set-first-reload-fails`.
            with self._monitor.watch(monitored, include_past=True) as watch:
                self.source.update(monitored)
                if self._options.poll_seconds >= 0:
                    self.source.poll()
                self._await(watch, "servable(s)")
        except ServingError:
            self.source.update({})
            raise
        finally:
            self.manager.set_load_threads(self._options.load_threads)
        self._running = True

    def _is_available(self, model: str, version: int) -> bool:
        entry = self._monitor.versions(model).get(version)
        return entry is not None and entry.state is State.AVAILABLE

    def _await(self, watch: Watch, noun: str) -> None:
        """Waits, without a time limit, until each watched model has a version that settled."""
        while (settled := watch.wait(STOP_TICK_SECONDS)) is None:
            if self._stop.is_set():
                raise ServingError(Code.UNAVAILABLE, "the server is stopping")
        failures = {name: s for name, s in settled.items() if s.entry.state is State.END}
        if failures:
            raise ServingError(Code.UNKNOWN, _unavailable(failures, noun))


def _unavailable(failures: dict[str, Settled], noun: str) -> str:
    rows = "".join(
        f"{{{{name: {name} version: {settled.version}}} due to error: "
        f"{settled.entry.error or 'OK'}}}, "
        for name, settled in sorted(failures.items())
    )
    return f"{len(failures)} {noun} did not become available: {{{rows}}}"
