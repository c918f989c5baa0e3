"""The analysis of a version: its gates before it has traffic and while it has traffic."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path

import seq2sum
from seq2sum import golden
from seq2sum.golden import GoldenRequest, check_one

from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.deployment.replicas import error_text
from seq2sum_serving.deployment.state import CANARY, STABLE
from seq2sum_serving.gates import (
    contract,
    contract_file,
    evaluation,
    golden_gate,
    latency,
    live,
    memory,
)
from seq2sum_serving.gates.batches import Batch
from seq2sum_serving.gates.contract import Contracts
from seq2sum_serving.gates.golden_gate import GoldenSet
from seq2sum_serving.gates.live import LiveMetrics, ProbeResults
from seq2sum_serving.gates.measurement import Measurement, overall
from seq2sum_serving.gates.metric_providers.prometheus import Prometheus, QueryFailed
from seq2sum_serving.gates.policy import GatePolicy
from seq2sum_serving.rollout import group_analysis
from seq2sum_serving.rollout.placement import Placement
from seq2sum_serving.rollout.verdicts import worst_by_gate

PROGRESS_INTERVAL = 1.0
"""Seconds between two progress reports, and between two checks for the end of the canary."""


class Analysis:
    """The gates of one version.

    Args:
        placement: The servers that judge the version, and those that callers reach.
        version: The candidate.
        stable: The version that it is compared with.
        policy: The limits.
        prometheus: The metric provider; None without one.
        folder: The candidate's files, if they are not below the base path yet.
    """

    def __init__(
        self,
        placement: Placement,
        version: int,
        stable: int,
        policy: GatePolicy,
        prometheus: Prometheus | None = None,
        *,
        folder: Path | None = None,
    ) -> None:
        self._placement = placement
        self._executor = executor = placement.stable
        self._version = version
        self._stable = stable
        self._policy = policy
        self._prometheus = prometheus
        self._folder = folder or executor.store.folder(version)
        self._reported_missing = False

    def judge_files(self) -> list[Measurement]:
        """Judges the files of the candidate, before it is loaded.

        Raises:
            RolloutError: A file cannot be read, or is not valid.
        """
        candidate = contract_file.read_raw(self._folder / contract_file.FILE)
        stable_folder = self._executor.store.folder(self._stable)
        stable = contract_file.read_raw(stable_folder / contract_file.FILE)
        return [
            evaluation.judge(candidate, stable, self._policy.golden),
            *self._missing_golden(),
            contract.judge(self._contracts),
        ]

    def _missing_golden(self) -> list[Measurement]:
        """Returns the measurement of missing golden requests, once."""
        if self._golden_set is not None or self._reported_missing:
            return []
        self._reported_missing = True
        return [golden_gate.missing()]

    def judge_without_changes(self) -> list[Measurement]:
        """Judges the files, and if the candidate is loaded already, what it serves.

        Raises:
            RolloutError: A gate cannot be measured.
        """
        measurements, memory = self.judge_files(), self.memory()
        if overall(measurements) is Verdict.FAILED:
            return measurements
        if self._placement.observe().available_everywhere(self._version):
            measurements += self.judge_loaded(memory)
        return measurements

    def memory(self) -> float | None:
        """Returns the servers' memory in bytes; None if the policy has no query for it."""
        query = self._policy.memory.query
        return self._prometheus.value(query) if self._prometheus and query else None

    def judge_loaded(self, memory_before: float | None) -> list[Measurement]:
        """Judges the loaded candidate next to the stable version, before it has traffic.

        Args:
            memory_before: The servers' memory before the load, in bytes.
        """
        clients = self._placement.replicas.clients()
        measurements = worst_by_gate(
            {target: self._judge_replica(client) for target, client in clients.items()}
        )
        if overall(measurements) is Verdict.FAILED:
            return measurements
        measurements += self._missing_golden()
        [client, *_] = clients.values()
        if self._golden_set:
            measurements.append(self._judge_latency(client, self._golden_set.requests))
        if self._placement.is_separate:
            found = group_analysis.judge_memory(self._prometheus, self._policy)
        else:
            found = memory.judge(memory_before, self.memory(), self._policy.memory)
        return [*measurements, found]

    def judge_step(
        self,
        seconds: float,
        is_ended: Callable[[], bool],
        report: Callable[[ProbeResults], None],
        *,
        since_first_traffic: float = 0.0,
    ) -> list[Measurement]:
        """Probes both versions, on each of their replicas in turn, then judges the candidate.

        Args:
            seconds: Length of the step.
            is_ended: Returns whether another command has ended the canary; called once a second.
            report: Receives the results so far once a second.
            since_first_traffic: Seconds from the candidate's first traffic to this step.
        """
        requests = self._golden_set.requests if self._golden_set else ()
        servers = {CANARY: self._placement.replicas, STABLE: self._executor.replicas}
        results = ProbeResults()
        interval = 1 / self._policy.live.probes_per_second
        start = reported = time.monotonic()
        probes = 0
        while time.monotonic() < start + seconds:
            for label, replicas in servers.items() if requests else ():
                clients = list(replicas.clients().values())
                request = requests[probes % len(requests)]
                probe(results, clients[probes % len(clients)], label, request)
            probes += 1
            if time.monotonic() - reported >= PROGRESS_INTERVAL:
                reported = time.monotonic()
                report(results)
                failed = overall(live.judge(results, self._policy)) is Verdict.FAILED
                if failed or is_ended():
                    break
            time.sleep(max(0.0, start + probes * interval - time.monotonic()))
        if self._placement.is_separate:
            elapsed = time.monotonic() - start
            return [*live.judge(results, self._policy), *self._group_metrics(results, elapsed)]
        metrics = self._live_metrics(seconds, since_first_traffic + seconds)
        return live.judge(results, self._policy, metrics)

    def _group_metrics(self, results: ProbeResults, seconds: float) -> list[Measurement]:
        """Judges the candidate group by its servers' metrics; nothing without a metric provider."""
        if self._prometheus is None:
            return []
        return group_analysis.judge_metrics(
            self._prometheus,
            self._executor,
            self._policy,
            results,
            seconds,
            version=self._version,
            stable=self._stable,
        )

    def _live_metrics(self, seconds: float, ago: float) -> LiveMetrics | None:
        """Returns Prometheus' metrics; None if it does not answer, so that probes alone count."""
        if self._prometheus is None:
            return None
        try:
            return self._prometheus.live(self._executor.model, seconds, ago=ago)
        except QueryFailed as error:
            self._executor.log(f"  judged by probes only: {error}")
            return None

    @cached_property
    def _golden_set(self) -> GoldenSet | None:
        """The version's golden requests, or else stable's; None if there are none."""
        if own := golden_gate.read(self._folder):
            return GoldenSet(own)
        nearest = self._executor.nearest_file(self._stable, golden_gate.read)
        return GoldenSet(nearest[1], f" of version {nearest[0]}") if nearest else None

    @cached_property
    def _contracts(self) -> Contracts:
        own = contract_file.read(self._folder)
        nearest = self._executor.nearest_file(self._stable, contract_file.read)
        return Contracts(own, nearest[1], nearest[0]) if nearest else Contracts(own)

    def _judge_replica(self, client: seq2sum.ModelClient) -> list[Measurement]:
        """Judges signatures and golden requests on one replica."""
        with _answers(client):
            signatures = contract.judge_live(
                client.describe(version=self._version),
                client.describe(version=self._stable),
                self._contracts,
            )
            if signatures.verdict is Verdict.FAILED or self._golden_set is None:
                return [signatures]
            requests, limits = self._golden_set.requests, self._policy.golden
            candidate = golden_gate.check(client, requests, limits, version=self._version)
            stable = golden.check(client, requests[: len(candidate)], version=self._stable)
        return [signatures, *golden_gate.judge(self._golden_set, candidate, stable, self._policy)]

    def _judge_latency(
        self, client: seq2sum.ModelClient, requests: Sequence[GoldenRequest]
    ) -> Measurement:
        def call(version: int, batch: Batch) -> None:
            client.predict(batch.inputs, signature=batch.signature, version=version)

        calls: Mapping[str, Callable[[Batch], None]] = {
            "candidate": partial(call, self._version),
            "stable": partial(call, self._stable),
        }
        with _answers(client):
            versions = (self._version, self._stable)
            signatures = [client.describe(version=each).signatures for each in versions]
        samples = latency.measure(calls, requests, self._policy.latency, signatures=signatures)
        return latency.judge(samples, self._policy.latency)


@contextmanager
def _answers(client: seq2sum.ModelClient) -> Iterator[None]:
    """Turns errors of calls to a replica into errors of a rollout."""
    try:
        yield
    except seq2sum.Seq2SumError as error:
        raise Failed(
            f"{client.target} does not answer the golden requests: {error_text(error)}"
        ) from error


def probe(
    results: ProbeResults, client: seq2sum.ModelClient, label: str, request: GoldenRequest
) -> None:
    """Sends one golden request by label, and adds what came back to the results."""
    start = time.perf_counter()
    try:
        result = check_one(client, request, label=label)
    except seq2sum.Seq2SumError as error:
        results.record_error(label, error_text(error))
        return
    seconds = time.perf_counter() - start
    if result.error:
        results.record_error(label, golden_gate.text(result))
    else:
        results.record_answer(label, seconds, right=result.passed, text=golden_gate.text(result))
