"""The core: which models a server has, under which labels, and the way to their versions.

Everything that changes the models comes through here, one change at a time: the first
configuration, reloads by RPC and by file. What waits for a load that never ends keeps all later
changes waiting, as in TensorFlow Serving; requests go on meanwhile.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2, model_pb2
from tensorflow_serving.config import model_server_config_pb2

from seq2sum_serving.embedded.config import CoreOptions
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference.servable import Servable
from seq2sum_serving.embedded.lifecycle import labels, models
from seq2sum_serving.embedded.lifecycle.labels import Labels
from seq2sum_serving.embedded.lifecycle.manager import Check, Manager
from seq2sum_serving.embedded.lifecycle.source import FileSystemSource
from seq2sum_serving.embedded.lifecycle.states import (
    Settled,
    State,
    StateMonitor,
    VersionState,
    Watch,
)
from seq2sum_serving.embedded.model_list import models_of
from seq2sum_serving.embedded.monitoring.exposition import first_cell

log = logging.getLogger(__name__)

STARTUP_THREADS_PER_CPU = 4
"""Threads of the first loads, whatever `--num_load_threads` says."""
STOP_TICK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model as an operator sees it."""

    name: str
    """Name that requests use."""
    base_path: str
    """Where its versions are; empty for one that is no longer configured."""
    labels: dict[str, int]
    """Versions by label."""
    versions: dict[int, VersionState]
    """States by version, newest first."""


class Core:
    """The models of one server. Safe to use from any thread."""

    def __init__(
        self,
        load: Callable[[str, int, str], Servable],
        options: CoreOptions,
        stop: threading.Event,
        *,
        check: Check = lambda *_: None,
        on_labels: Callable[[Labels], None] | None = None,
    ) -> None:
        """Makes a core without models.

        Args:
            load: The loader.
            options: What flags say.
            stop: Set when the server stops; whoever waits here for loads gives up then.
            check: Looks at a version before the first attempt to load it.
            on_labels: Told of the labels whenever they are set, before anything else goes on.
        """
        self._options = options
        self._stop = stop
        self._on_labels = on_labels
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
        self._handle = self.manager.handle
        self.source = FileSystemSource(self.manager.set_aspired)
        self._changing = threading.Lock()
        self._models: tuple[models.Model, ...] | None = None
        self._labels: Labels | None = None
        self._running = False

    @contextmanager
    def handle(self, spec: model_pb2.ModelSpec) -> Iterator[tuple[int, Servable]]:
        """The version that a ModelSpec asks for, in use: its number and its servable.

        Raises:
            ServingError: There is none, in TensorFlow Serving's order of checks.
        """
        if not spec.name:
            raise ServingError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        version: int | None
        match spec.WhichOneof("version_choice"):
            case "version_label":
                version = labels.version_of(self._labels, spec.name, spec.version_label)
            case "version":  # an empty message is version 0, and not the latest
                version = spec.version.value
            case _:
                version = None
        with self._handle(spec.name, version) as found:
            yield found

    def status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Answers GetModelStatus; a label in the request is ignored, as there.

        Raises:
            ServingError: The model or the version was never there.
        """
        spec = model_of(request)
        versions = self._monitor.versions(spec.name)
        if spec.HasField("version"):
            wanted = spec.version.value
            if wanted not in versions:
                raise ServingError(
                    Code.NOT_FOUND, f"Could not find version {wanted} of model {spec.name}"
                )
            versions = {wanted: versions[wanted]}
        elif not versions:
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {spec.name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for number, entry in versions.items():
            row = response.model_version_status.add(version=number, state=entry.state.value)
            row.status.SetInParent()
            if entry.error:
                row.status.error_code = entry.error.code.value
                # The field is text, and a message may quote bytes of a request that are none.
                raw = entry.error.message.encode(errors="surrogateescape")
                row.status.error_message = raw.decode(errors="replace")
        return response

    def reload(
        self, request: model_management_pb2.ReloadConfigRequest
    ) -> model_management_pb2.ReloadConfigResponse:
        """Answers HandleReloadConfigRequest; returns when every new model loaded or failed.

        Raises:
            ServingError: The configuration is refused, or a new model failed.
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
        """Makes these the models and labels of the server; the first time, waits for all of them.

        In TensorFlow Serving's order, which decides what stays changed when a step fails: check
        the list, store it, set the labels, set what is looked at, wait for new models.

        Raises:
            ServingError: A step failed.
        """
        with self._changing:
            if config.WhichOneof("config") is None:
                log.debug("Taking no action for empty config.")
                return
            wanted = models_of(config)
            models.check_list(wanted)
            models.check_transition(self._models or (), wanted)
            if wanted != self._models:
                log.info("Adding/updating models.")
            self._models = wanted
            self._labels = labels.assigned(
                {model.name: model.labels for model in wanted},
                self._labels or {},
                self._is_available,
                allow_unavailable=self._options.allow_unavailable_labels,
            )
            if self._on_labels:
                self._on_labels(self._labels)
            monitored = models.monitored(wanted)
            if not self._running:
                self._load_first(monitored)
            else:
                new = monitored.keys() - self.source.models.keys()
                with self._monitor.watch(new, fresh=True) as watch:
                    self.source.update(monitored)
                    self._await(watch, "model(s)")
            models.request_logging(wanted)

    def models(self) -> list[ModelView]:
        """Every model, configured or with versions that are still known."""
        known, assigned = self.source.models, self._labels or {}
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
            # A model that failed the last time fails at once again, as there.
            with self._monitor.watch(monitored, fresh=False) as watch:
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

    def _await(self, watch: Watch, what: str) -> None:
        """Waits for one version of each model that is watched, however long it takes."""
        while (settled := watch.wait(STOP_TICK_SECONDS)) is None:
            if self._stop.is_set():
                raise ServingError(Code.UNAVAILABLE, "the server stops")
        failures = {name: s for name, s in settled.items() if s.entry.state is State.END}
        if failures:
            raise ServingError(Code.UNKNOWN, _unavailable(failures, what))


def model_of(request: Any) -> model_pb2.ModelSpec:
    """The ModelSpec of a request.

    Raises:
        ServingError: INVALID_ARGUMENT: it has none.
    """
    if not request.HasField("model_spec"):
        raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
    return request.model_spec


def _unavailable(failures: dict[str, Settled], what: str) -> str:
    rows = "".join(
        f"{{{{name: {name} version: {settled.version}}} due to error: "
        f"{settled.entry.error or 'OK'}}}, "
        for name, settled in sorted(failures.items())
    )
    return f"{len(failures)} {what} did not become available: {{{rows}}}"
