"""The part of a probe round that is about one model: its files, and the checks of each replica."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import seq2sum
from seq2sum.golden import GoldenRequest

from seq2sum_serving.deployment import in_service
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.deployment.model_store import ModelStore
from seq2sum_serving.deployment.replicas import Replicas
from seq2sum_serving.deployment.routers import envoy
from seq2sum_serving.deployment.state import CANARY, LABELS, STABLE, ModelEntry
from seq2sum_serving.deployment.traffic import TrafficFile, canary_weights
from seq2sum_serving.gates import golden_gate
from seq2sum_serving.probe import inputs
from seq2sum_serving.probe.event_counter import EventCounter
from seq2sum_serving.probe.golden_rotation import requests_of_round
from seq2sum_serving.probe.inputs import InputReader, Missing
from seq2sum_serving.probe.observation import Events, Observation
from seq2sum_serving.probe.replica_checks import LabelRequests, check_answers, check_state
from seq2sum_serving.probe.started_round import StartedRound

CACHED_VERSIONS = 8
"""Versions whose golden requests are cached: a version rarely changes, and labels are few."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of a model that the probe reads."""

    model_config: ModelConfigFile
    base: Path | None
    """The base path as this machine sees it; None for the one in the model config file."""
    traffic: TrafficFile
    routes: Path
    """The routes of Envoy; used if it exists, instead of `traffic`."""
    events: EventCounter

    def weights(self) -> Mapping[str, float]:
        """Returns the weights that a router wrote last, by label or target.

        Raises:
            UsageError: The file is not valid.
        """
        if self.routes.exists():
            return canary_weights(envoy.read_file(self.routes)[0].candidate)
        return self.traffic.read()


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """The calls that a round makes to each replica."""

    labels: Sequence[str] = (STABLE, CANARY)
    requests: int = 3
    """Golden requests for each label."""
    timeout: float = 3.0
    """Seconds for all requests to a label together."""


class ModelProber:
    """Observes one model.

    Args:
        files: The model's files. They are read again in each round.
        replicas: The replicas.
        settings: The calls to make.
    """

    def __init__(self, files: ModelFiles, replicas: Replicas, settings: ProbeSettings) -> None:
        self._files = files
        self._replicas = replicas
        self._settings = settings
        # By the time of the last change too: the file may be recorded again.
        self._read_golden = lru_cache(maxsize=CACHED_VERSIONS)(
            lambda folder, _: golden_gate.read(folder)
        )
        self._clients: Mapping[str, seq2sum.ModelClient] = {}

    def close(self) -> None:
        """Closes the connections, which ends the calls in flight."""
        self._replicas.__exit__()

    def start_round(self, number: int, pool: Executor) -> StartedRound:
        """Reads every file, and starts the checks of every replica.

        Args:
            number: The number of the round, counted from 0; it selects the golden requests.
            pool: Runs the checks.
        """
        start = time.monotonic()
        reader = InputReader()
        recorded = reader.read(inputs.MODEL_CONFIG, self._files.model_config.read)
        base = self._base(reader, recorded)
        on_disk = reader.read(inputs.VERSIONS, base.versions) if base else None
        events = reader.read(inputs.HISTORY, self._files.events.read)
        readable = base if on_disk is not None else None
        requests = self._requests(number, reader, recorded, readable, events)
        # If the target's name does not resolve now, the replicas of the previous round are checked.
        self._clients = reader.read(inputs.TARGETS, self._replicas.clients) or self._clients
        submit, timeout = pool.submit, self._settings.timeout
        recorded_labels = recorded.labels if recorded else ()
        labels = tuple(dict.fromkeys((*LABELS, *self._settings.labels, *recorded_labels)))
        observation = Observation(
            labels=self._settings.labels,
            recorded=recorded,
            on_disk=on_disk,
            weights=reader.read(inputs.TRAFFIC, self._files.weights),
            events=events,
            input_errors=reader.errors,
            missing=reader.missing,
        )
        return StartedRound(
            observation,
            tuple(self._clients),
            {
                target: submit(check_state, target, client, labels, timeout)
                for target, client in self._clients.items()
            },
            {
                (target, label): submit(check_answers, client, label, of_label, timeout)
                for target, client in self._clients.items()
                for label, of_label in requests.items()
            },
            start,
        )

    def _base(self, reader: InputReader, recorded: ModelEntry | None) -> ModelStore | None:
        if self._files.base is not None:
            return ModelStore(self._files.base)
        if recorded is None:
            return None
        path = reader.read(inputs.MODEL_CONFIG, self._files.model_config.base_path)
        return ModelStore(Path(path)) if path else None

    def _requests(
        self,
        number: int,
        reader: InputReader,
        recorded: ModelEntry | None,
        base: ModelStore | None,
        events: Events | None,
    ) -> dict[str, LabelRequests]:
        """Returns the requests for each label, except labels that are not in the model config."""
        found: dict[str, LabelRequests] = {}
        for label in self._settings.labels:
            found[label] = LabelRequests()
            if recorded is None:
                continue
            if (version := recorded.labels.get(label)) is None:
                del found[label]
            elif base is not None:
                read = partial(self._golden_of, base, version, recorded, events)
                if file := reader.read(inputs.GOLDEN_REQUESTS, read):
                    owner, requests = file
                    chosen = requests_of_round(requests, number, self._settings.requests)
                    found[label] = LabelRequests(version, chosen, owner)
        return found

    def _golden_of(
        self, base: ModelStore, version: int, recorded: ModelEntry, events: Events | None
    ) -> tuple[int, tuple[GoldenRequest, ...]]:
        """Returns the golden requests that judge a version, as in rollouts, and whose they are."""
        of_service = events.of_service if events is not None else ()
        file = in_service.nearest_file(
            base, version, of_service, recorded.labels, self._golden_in_folder
        )
        if file is None:
            raise Missing(
                f"version {version} has no golden requests, so its answers are not compared: write "
                f"some with `seq2sum-rollout golden record {version} --from inputs.jsonl`"
            )
        return file

    def _golden_in_folder(self, folder: Path) -> tuple[GoldenRequest, ...] | None:
        try:
            changed = (folder / golden_gate.FILE).stat().st_mtime_ns
        except FileNotFoundError:
            return None
        return self._read_golden(folder, changed)
