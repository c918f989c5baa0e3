"""A probe round: checks all models and replicas at the same time, so that none delays the rest.

A round only observes: `findings` decides what is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from pathlib import Path
from typing import Self

import seq2sum

from seq2sum_serving.deployment.model_config_file import model_names
from seq2sum_serving.probe import inputs
from seq2sum_serving.probe.inputs import InputReader, guarded
from seq2sum_serving.probe.model_prober import ModelProber
from seq2sum_serving.probe.observation import Certificate, Observation, Observations
from seq2sum_serving.probe.replica_checks import check_certificate
from seq2sum_serving.probe.started_round import StartedRound

UNKNOWN_MODEL = ""
"""Stands for all models until the model config file has been read once."""


class Prober:
    """Observes models, one round at a time. Close it before the pool: that ends calls in flight.

    Args:
        models: The names of the models; None for all in the model config file, which is read again
            in each round.
        config: The model config file.
        create: Creates the prober of a model.
        pool: Runs the checks.
        timeout: Seconds for the check of a certificate.
        tls: The TLS options of the replicas; None if there are no certificates to check.
    """

    def __init__(
        self,
        models: Sequence[str] | None,
        config: Path,
        create: Callable[[str], ModelProber],
        pool: Executor,
        *,
        timeout: float,
        tls: seq2sum.TLS | None = None,
    ) -> None:
        self._models = models
        self._config = config
        self._create = create
        self._pool = pool
        self._timeout = timeout
        self._tls = tls
        self._probers: dict[str, ModelProber] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for prober in self._probers.values():
            prober.close()

    def models(self) -> list[str]:
        """Returns the names of the models to probe now: at least one, maybe `UNKNOWN_MODEL`."""
        return self._names(InputReader())

    def run_round(self, number: int) -> Observations:
        """Checks every replica and reads every file.

        Args:
            number: The number of the round, counted from 0; it selects the golden requests.
        """
        start = time.monotonic()
        reader = InputReader()
        names = self._names(reader)
        for gone in self._probers.keys() - names:
            self._probers.pop(gone).close()
        if names == [UNKNOWN_MODEL]:
            seconds = time.monotonic() - start
            unknown = Observation(input_errors=reader.errors, finished=time.time(), seconds=seconds)
            return {UNKNOWN_MODEL: unknown}
        started = {name: guarded(partial(self._start, name, number), _failed) for name in names}
        certificates = self._certificates(
            [each for each in started.values() if isinstance(each, StartedRound)]
        )
        return {name: _finished(each, certificates) for name, each in started.items()}

    def _start(self, model: str, number: int) -> StartedRound | Observation:
        if model not in self._probers:
            self._probers[model] = self._create(model)
        return self._probers[model].start_round(number, self._pool)

    def _certificates(self, started: Sequence[StartedRound]) -> dict[str, Certificate]:
        """Returns the certificate of each replica, by target; none without TLS."""
        if self._tls is None:
            return {}
        targets = dict.fromkeys(target for each in started for target in each.targets)
        checks = {
            target: self._pool.submit(check_certificate, target, self._tls, self._timeout)
            for target in targets
        }
        return {target: _certificate(check) for target, check in checks.items()}

    def _names(self, reader: InputReader) -> list[str]:
        if self._models is not None:
            return list(self._models)
        found = reader.read(inputs.MODEL_CONFIG, lambda: model_names(self._config))
        return found or list(self._probers) or [UNKNOWN_MODEL]


def _finished(
    started: StartedRound | Observation, certificates: Mapping[str, Certificate]
) -> Observation:
    """Waits for the checks of a model."""
    if isinstance(started, Observation):
        return started
    return guarded(partial(started.finish, certificates), _failed)


def _failed(error: str) -> Observation:
    return Observation(input_errors={inputs.ROUND: error}, finished=time.time())


def _certificate(check: Future[Certificate]) -> Certificate:
    return guarded(check.result, partial(Certificate, None))
