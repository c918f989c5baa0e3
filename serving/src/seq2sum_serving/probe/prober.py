"""One round: every replica and every file is asked, all at once, and none holds up the others.

Whoever is down, slow or broken is told of in what the round saw. Nothing here decides what that
means.
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

from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.deployment.model_store import ModelStore
from seq2sum_serving.deployment.replicas import Replicas, observe_replica
from seq2sum_serving.deployment.state import LABELS, ModelEntry, Replica
from seq2sum_serving.deployment.traffic import TrafficFile
from seq2sum_serving.gates import golden
from seq2sum_serving.gates.golden import Golden
from seq2sum_serving.probe import inputs
from seq2sum_serving.probe.budget import Budget
from seq2sum_serving.probe.certificate import shown
from seq2sum_serving.probe.event_counter import Ledger
from seq2sum_serving.probe.golden_rotation import SUMS, turn
from seq2sum_serving.probe.inputs import Sources
from seq2sum_serving.probe.observation import ANSWERED, Call, Certificate, Sight

Key = TypeVar("Key")
Result = TypeVar("Result")
Turn = Sequence[tuple[bytes, str]]
"""The questions of a round by one label, with their answers."""
MOST_VERSIONS = 8
"""Whose golden questions are kept: a version never changes, and labels are few."""


@dataclass(frozen=True, slots=True)
class Files:
    """Those of a deployment."""

    record: ModelConfigFile
    base: Path | None
    """The base path as this machine sees it; None: as the file of record says."""
    traffic: TrafficFile
    history: Ledger


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked of a replica in a round."""

    labels: Sequence[str] = ("stable", "canary")
    questions: int = 3
    """By each label."""
    timeout: float = 3.0
    """Seconds for the answers to all of them."""


class Lookout:
    """Looks at a deployment, a round at a time.

    Args:
        files: Of the deployment; a mistake in them is found anew in each round.
        fleet: Its replicas.
        pool: What asks. It should be closed after the fleet is: calls under way end with that.
        asking: What it asks.
        tls: As the fleet's; None for no certificates to look at.
    """

    def __init__(
        self,
        files: Files,
        fleet: Replicas,
        pool: Executor,
        *,
        asking: Asking,
        tls: seq2sum.TLS | None = None,
    ) -> None:
        self.model = files.record.model
        self._files = files
        self._fleet = fleet
        self._pool = pool
        self._asking = asking
        self._tls = tls
        self._golden = lru_cache(maxsize=MOST_VERSIONS)(golden.read)
        self._clients: Mapping[str, seq2sum.Client] = {}

    def look(self, number: int) -> Sight:
        """A round.

        Args:
            number: Of the round, from 0 on: other golden questions in each.
        """
        began = time.monotonic()
        read = Sources()
        recorded = read.read(inputs.RECORD, self._files.record.read)
        base = self._base(read, recorded)
        on_disk = read.read(inputs.VERSIONS, base.versions) if base else None
        turns = self._turns(number, read, recorded, base if on_disk is not None else None)
        # A name that does not resolve just now is no reason to look away from those behind it.
        self._clients = read.read(inputs.TARGETS, self._fleet.clients) or self._clients
        replicas, calls, certificates = self._ask(turns, recorded)
        return Sight(
            replicas,
            calls,
            certificates,
            self._asking.labels,
            recorded,
            on_disk,
            read.read(inputs.TRAFFIC, self._files.traffic.read),
            read.read(inputs.HISTORY, self._files.history.read),
            read.why,
            ended=time.time(),
            seconds=time.monotonic() - began,
        )

    def _base(self, read: Sources, recorded: ModelEntry | None) -> ModelStore | None:
        if self._files.base is not None:
            return ModelStore(self._files.base)
        path = read.read(inputs.RECORD, self._files.record.base_path) if recorded else None
        return ModelStore(Path(path)) if path else None

    def _turns(
        self, number: int, read: Sources, recorded: ModelEntry | None, base: ModelStore | None
    ) -> dict[str, Turn]:
        """What is asked by each label. By one that nobody should know nobody is asked."""
        found: dict[str, Turn] = {}
        for label in self._asking.labels:
            questions: Golden | None = None
            if recorded is not None:
                if label not in recorded.labels:
                    continue
                if base is not None:
                    own = partial(self._golden_of, base, recorded.labels[label])
                    questions = read.read(inputs.GOLDEN, own)
            found[label] = turn(questions or SUMS, number, self._asking.questions)
        return found

    def _golden_of(self, base: ModelStore, version: int) -> Golden:
        return self._golden(base.folder(version))

    def _ask(
        self, turns: Mapping[str, Turn], recorded: ModelEntry | None
    ) -> tuple[list[Replica], dict[tuple[str, str], list[Call]], dict[str, Certificate]]:
        """All replicas, at the same time: their states, their answers, their certificates."""
        begin, timeout = self._pool.submit, self._asking.timeout
        recorded_labels = recorded.labels if recorded else ()
        labels = tuple(dict.fromkeys((*LABELS, *self._asking.labels, *recorded_labels)))
        certificates = {
            target: begin(certificate_of, target, self._tls, timeout)
            for target in self._clients
            if self._tls is not None
        }
        replicas = {
            target: begin(replica_of, target, client, labels, timeout)
            for target, client in self._clients.items()
        }
        calls = {
            (target, label): begin(calls_of, client, label, turns[label], timeout)
            for target, client in self._clients.items()
            for label in turns
        }
        return list(_results(replicas).values()), _results(calls), _results(certificates)


def replica_of(
    target: str, client: seq2sum.Client, labels: Sequence[str], seconds: float
) -> Replica:
    """What a replica says of itself."""
    return observe_replica(target, client, labels, Budget(seconds).left)


def certificate_of(target: str, tls: seq2sum.TLS, seconds: float) -> Certificate:
    """What it shows."""
    return shown(target, tls, Budget(seconds).left)


def calls_of(client: seq2sum.Client, label: str, questions: Turn, seconds: float) -> list[Call]:
    """Golden questions one after the other; after a call that fails the others are left out."""
    budget, calls = Budget(seconds), []
    for question, expected in questions:
        calls.append(_call(client, label, question, expected, budget.left()))
        if calls[-1].code != ANSWERED:
            break
    return calls


def _call(
    client: seq2sum.Client, label: str, question: bytes, expected: str, seconds: float
) -> Call:
    code, refused = ANSWERED, False
    began = time.perf_counter()
    try:
        said = client.add(question, label=label, timeout=seconds).text
    except seq2sum.InvalidQuestion as error:
        said, refused = str(error), True
    except seq2sum.CallError as error:
        code, said = error.code.name, error.details
    except seq2sum.UnexpectedResponse as error:
        said = str(error)
    took = time.perf_counter() - began
    return Call(question.decode(), expected, code, took, said, refused)


def _results(futures: Mapping[Key, Future[Result]]) -> dict[Key, Result]:
    return {key: future.result() for key, future in futures.items()}
