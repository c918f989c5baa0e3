"""The checks of one model that run in a round, and the observation that they produce.

An unexpected error of a check is part of the observation, so it never ends the round of other
models.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from seq2sum_serving.deployment.state import Replica
from seq2sum_serving.probe import inputs
from seq2sum_serving.probe.inputs import guarded
from seq2sum_serving.probe.observation import Call, Certificate, Observation


@dataclass(frozen=True, slots=True)
class StartedRound:
    """The files as they were read, and the checks that run."""

    observation: Observation
    """Without replicas, calls and certificates."""
    targets: Sequence[str]
    replicas: Mapping[str, Future[Replica]]
    calls: Mapping[tuple[str, str], Future[Sequence[Call]]]
    start: float
    """On the monotonic clock."""

    def finish(self, certificates: Mapping[str, Certificate]) -> Observation:
        """Waits for the checks, and returns the whole observation.

        Args:
            certificates: By target; those of other models' replicas are left out.
        """
        replicas = [_state(target, check) for target, check in self.replicas.items()]
        calls, input_errors = self._calls()
        return replace(
            self.observation,
            replicas=replicas,
            calls=calls,
            certificates={t: certificates[t] for t in self.targets if t in certificates},
            input_errors=input_errors,
            finished=time.time(),
            seconds=time.monotonic() - self.start,
        )

    def _calls(self) -> tuple[dict[tuple[str, str], Sequence[Call]], dict[str, str]]:
        """Waits for the calls; returns them, and the errors of all inputs.

        Failed calls are results, so any other error is reported as one of the golden requests.
        """
        found: dict[tuple[str, str], Sequence[Call]] = {}
        unexpected: list[str] = []
        for (target, label), check in self.calls.items():
            where = f"{target}: cannot send or compare golden requests of label {label}"

            def failed(error: str, where: str = where) -> Sequence[Call]:
                unexpected.append(f"{where}: {error}")
                return ()

            found[target, label] = guarded(check.result, failed)
        errors, name = dict(self.observation.input_errors), inputs.GOLDEN_REQUESTS
        if unexpected:
            errors[name] = errors.get(name) or unexpected[0]
        return found, errors


def _state(target: str, check: Future[Replica]) -> Replica:
    """Waits for the check of a replica, and returns its state."""
    return guarded(check.result, lambda error: Replica(target, error=error))
