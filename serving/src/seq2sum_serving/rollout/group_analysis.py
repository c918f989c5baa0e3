"""Measures the candidate group by the metrics of its servers, next to the stable group's."""

from __future__ import annotations

from dataclasses import replace

from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.deployment.state import CANARY, STABLE
from seq2sum_serving.gates import group_comparison, memory
from seq2sum_serving.gates.group_metrics import GroupMetrics
from seq2sum_serving.gates.live import ProbeResults
from seq2sum_serving.gates.measurement import Measurement
from seq2sum_serving.gates.metric_providers import server_groups
from seq2sum_serving.gates.metric_providers.prometheus import Prometheus, QueryFailed
from seq2sum_serving.gates.policy import GatePolicy
from seq2sum_serving.rollout.executor import Executor


def judge_metrics(
    prometheus: Prometheus,
    executor: Executor,
    policy: GatePolicy,
    results: ProbeResults,
    seconds: float,
    *,
    version: int,
    stable: int,
) -> list[Measurement]:
    """Judges the calls of the last seconds; nothing if the policy does not select both groups.

    Args:
        prometheus: The metric provider.
        executor: Knows the model and its folders; either group's.
        policy: The limits.
        results: Probes of these seconds. Those of the canary are calls to the candidate group, and
            those of stable are calls to the stable group.
        seconds: Length of the period up to now.
        version: The version that the candidate group serves.
        stable: The version that the stable group serves.
    """
    if not policy.metrics.stable or not policy.metrics.candidate:
        return []

    def read(selector: str, label: str, number: int) -> GroupMetrics:
        folder = executor.store.folder(number).name
        path = f"{executor.config.base_path().rstrip('/')}/{folder}"
        found = server_groups.read(
            prometheus, executor.model, seconds, selector=selector, path=path
        )
        probes = results.stats(label)
        return replace(found, probes=probes.calls, probe_errors=probes.errors)

    try:
        candidate = read(policy.metrics.candidate, CANARY, version)
        return group_comparison.judge(
            read(policy.metrics.stable, STABLE, stable), candidate, policy
        )
    except QueryFailed as error:
        message = f"the groups are judged by probes only: {error}"
        return [Measurement(group_comparison.ERRORS, Verdict.ERROR, message)]


def judge_memory(prometheus: Prometheus | None, policy: GatePolicy) -> Measurement:
    """Judges the memory of the candidate group now, next to that of the stable group.

    Raises:
        QueryFailed: See `Prometheus.value`.
    """
    limits = policy.memory
    stable, candidate = (
        prometheus.value(query) if prometheus and query else None
        for query in (limits.query, limits.candidate_query)
    )
    return memory.judge_groups(stable, candidate, limits)
