"""A probe round: checks all replicas at the same time, so that a slow one does not delay the rest.

A round only observes: `findings` decides what is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

import seq2sum
from seq2sum.golden import GoldenRequest

from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.deployment.model_store import ModelStore
from seq2sum_serving.deployment.replicas import Replicas
from seq2sum_serving.deployment.state import CANARY, LABELS, STABLE, ModelEntry, Replica
from seq2sum_serving.deployment.traffic import TrafficFile
from seq2sum_serving.gates import golden
from seq2sum_serving.probe import inputs
from seq2sum_serving.probe.event_counter import EventCounter
from seq2sum_serving.probe.golden_rotation import requests_of_round
from seq2sum_serving.probe.inputs import InputReader
from seq2sum_serving.probe.observation import Call, Certificate, Observation
from seq2sum_serving.probe.replica_checks import check_answers, check_certificate, check_state

Key = TypeVar("Key")
Result = TypeVar("Result")

CACHED_VERSIONS = 8
"""Versions whose golden questions are cached: a version never changes, and labels are few."""


@dataclass(frozen=True, slots=True)
class DeploymentFiles:
    """The files of a deployment that the probe reads."""

    model_config: ModelConfigFile
    base: Path | None
    """The base path as this machine sees it; None for the one in the model config file."""
    traffic: TrafficFile
    events: EventCounter


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """The calls that a round makes to each replica."""

    labels: Sequence[str] = (STABLE, CANARY)
    questions: int = 3
    """Golden questions for each label."""
    timeout: float = 3.0
    """Seconds for all questions to a label together."""


class Prober:
    """Observes a deployment, one round at a time.

    Args:
        files: The deployment's files. They are read again in each round.
        replicas: The replicas.
        pool: Runs the checks. Close the replicas before it: that ends the calls in flight.
        settings: The calls to make.
        tls: The TLS options of the replicas; None if there are no certificates to check.
    """

    def __init__(
        self,
        files: DeploymentFiles,
        replicas: Replicas,
        pool: Executor,
        *,
        settings: ProbeSettings,
        tls: seq2sum.TLS | None = None,
    ) -> None:
        self.model = files.model_config.model
        self._files = files
        self._replicas = replicas
        self._pool = pool
        self._settings = settings
        self._tls = tls
        self._read_golden = lru_cache(maxsize=CACHED_VERSIONS)(golden.read)
        self._clients: Mapping[str, seq2sum.ModelClient] = {}

    def run_round(self, number: int) -> Observation:
        """Checks every replica and reads every file.

        Args:
            number: The number of the round, counted from 0; it selects the golden questions.
        """
        start = time.monotonic()
        reader = InputReader()
        recorded = reader.read(inputs.MODEL_CONFIG, self._files.model_config.read)
        base = self._base(reader, recorded)
        on_disk = reader.read(inputs.VERSIONS, base.versions) if base else None
        questions = self._questions(number, reader, recorded, base if on_disk is not None else None)
        # If the target's name does not resolve now, the replicas of the previous round are checked.
        self._clients = reader.read(inputs.TARGETS, self._replicas.clients) or self._clients
        replicas, calls, certificates = self._check_replicas(questions, recorded)
        return Observation(
            replicas,
            calls,
            certificates,
            self._settings.labels,
            recorded,
            on_disk,
            reader.read(inputs.TRAFFIC, self._files.traffic.read),
            reader.read(inputs.HISTORY, self._files.events.read),
            reader.errors,
            finished=time.time(),
            seconds=time.monotonic() - start,
        )

    def _base(self, reader: InputReader, recorded: ModelEntry | None) -> ModelStore | None:
        if self._files.base is not None:
            return ModelStore(self._files.base)
        if recorded is None:
            return None
        path = reader.read(inputs.MODEL_CONFIG, self._files.model_config.base_path)
        return ModelStore(Path(path)) if path else None

    def _questions(
        self, number: int, reader: InputReader, recorded: ModelEntry | None, base: ModelStore | None
    ) -> dict[str, Sequence[GoldenRequest]]:
        """Returns the questions for each label, except labels that are not in the model config."""
        found: dict[str, Sequence[GoldenRequest]] = {}
        for label in self._settings.labels:
            own: Sequence[GoldenRequest] | None = None
            if recorded is not None:
                if label not in recorded.labels:
                    continue
                if base is not None:
                    read = partial(self._golden_of, base, recorded.labels[label])
                    own = reader.read(inputs.GOLDEN_QUESTIONS, read)
            found[label] = requests_of_round(own or (), number, self._settings.questions)
        return found

    def _golden_of(self, base: ModelStore, version: int) -> Sequence[GoldenRequest] | None:
        return self._read_golden(base.folder(version))

    def _check_replicas(
        self, questions: Mapping[str, Sequence[GoldenRequest]], recorded: ModelEntry | None
    ) -> tuple[list[Replica], dict[tuple[str, str], list[Call]], dict[str, Certificate]]:
        submit, timeout = self._pool.submit, self._settings.timeout
        recorded_labels = recorded.labels if recorded else ()
        labels = tuple(dict.fromkeys((*LABELS, *self._settings.labels, *recorded_labels)))
        certificates = {
            target: submit(check_certificate, target, self._tls, timeout)
            for target in self._clients
            if self._tls is not None
        }
        replicas = {
            target: submit(check_state, target, client, labels, timeout)
            for target, client in self._clients.items()
        }
        calls = {
            (target, label): submit(check_answers, client, label, questions[label], timeout)
            for target, client in self._clients.items()
            for label in questions
        }
        return list(_results(replicas).values()), _results(calls), _results(certificates)


def _results(futures: Mapping[Key, Future[Result]]) -> dict[Key, Result]:
    return {key: future.result() for key, future in futures.items()}
