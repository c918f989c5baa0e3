"""Metrics of a group of servers from Prometheus, over the last seconds."""

from __future__ import annotations

import math

from seq2sum_serving.gates.group_metrics import GroupMetrics
from seq2sum_serving.gates.metric_providers import queries
from seq2sum_serving.gates.metric_providers.prometheus import Prometheus
from seq2sum_serving.gates.quantile import MEDIAN, P99

NOT_FAILED = "OK|CANCELLED"
"""Statuses of calls that did not fail: a caller or a proxy that cancels a call does not say why.
The recording rules in serving/monitoring do not count them as errors either."""
DIGITS = 3
"""Decimals of milliseconds and seconds."""


def read(
    prometheus: Prometheus, model: str, seconds: float, *, selector: str, path: str
) -> GroupMetrics:
    """Returns the metrics of a group of servers.

    Args:
        prometheus: The metric provider.
        model: Name of the model.
        seconds: Length of the period up to now.
        selector: Label matchers of PromQL that select the servers: `job="candidate"`.
        path: Folder of the version whose load is looked up, as the servers see it.

    Raises:
        QueryFailed: See `Prometheus.value`.
    """
    period = max(1, math.ceil(seconds))
    named = f"{selector},model_name={queries.quoted(model)}"
    answered = f"{queries.LATENCY}_count{{{named},{queries.INFERENCE}}}"
    latency = f"{queries.LATENCY}_bucket{{{named},{queries.INFERENCE}}}"
    failed = f'{queries.CALLS}{{{named},status!~"{NOT_FAILED}"}}'
    queued = f"{queries.QUEUE}_count{{{selector}}}"
    queue_time = f"{queries.QUEUE}_bucket{{{selector}}}"
    reached = f"max_over_time(up{{{selector}}}[{period}s])"

    def value(query: str) -> float | None:
        found = prometheus.value(query)
        return None if found is None else round(found, DIGITS)

    def count(series: str) -> float:
        return value(f"sum({queries.increased(series, period)})") or 0.0

    def quantile(share: float, buckets: str) -> float | None:
        return value(queries.quantile_of(share, buckets, period))

    servers = value(f"count({reached})")
    if not servers:
        return GroupMetrics()
    by_status = f"sum by (status) ({queries.increased(failed, period)})"
    return GroupMetrics(
        servers=int(servers),
        unscraped=int(value(f"count({reached} == 0)") or 0),
        answered=count(answered),
        errors=prometheus.by_label(by_status, "status"),
        p50_milliseconds=quantile(MEDIAN, latency),
        p99_milliseconds=quantile(P99, latency),
        queued=count(queued),
        queue_p99_milliseconds=quantile(P99, queue_time),
        load_seconds=value(queries.load_seconds(selector, path)),
    )
