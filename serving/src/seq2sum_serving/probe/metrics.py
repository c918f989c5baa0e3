"""What Prometheus reads: metrics as a function of what was seen and counted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

from seq2sum_serving.probe.counters import LIMITS, Tally, Totals
from seq2sum_serving.probe.findings import drift_sentences
from seq2sum_serving.probe.observation import Sight

PREFIX = "seq2sum_probe_"


def families(sight: Sight, totals: Totals, *, model: str) -> Iterator[Metric]:
    """Yields all metrics, each sample with the label `model`. What is not known has no series."""
    for part in (
        _replicas(sight),
        _labels(sight),
        _calls(totals),
        _rollouts(sight),
        _prober(sight),
    ):
        for family in part:
            family.samples = [
                sample._replace(labels={"model": model, **sample.labels})
                for sample in family.samples
            ]
            yield family


def _replicas(sight: Sight) -> Iterator[Metric]:
    up = _gauge("replica_up", "Whether the replica says what it serves.", "replica")
    states = _gauge(
        "version_state",
        "1 for the state that a version has on a replica.",
        *("replica", "version", "state"),
    )
    until = _gauge(
        "certificate_not_after_timestamp_seconds",
        "When the certificate of the replica expires.",
        "replica",
    )
    for replica in sight.replicas:
        up.add_metric([replica.target], replica.up)
        for version, entry in sorted(replica.versions.items()):
            states.add_metric([replica.target, str(version), entry.state.name], 1)
    for target, certificate in sight.certificates.items():
        if certificate.not_after is not None:
            until.add_metric([target], certificate.not_after)
    yield from (up, states, until)


def _labels(sight: Sight) -> Iterator[Metric]:
    behind = _gauge("label_version", "The version behind a label.", "replica", "label")
    wanted = _gauge("label_desired_version", "The version that should be.", "label")
    drift = _gauge("config_drift", "Differences between the file of record and what is.")
    for replica in sight.replicas:
        for label, version in sorted(replica.labels.items()):
            if version is not None:
                behind.add_metric([replica.target, label], version)
    if sight.recorded is not None:
        for label, version in sorted(sight.recorded.labels.items()):
            wanted.add_metric([label], version)
        drift.add_metric([], len(drift_sentences(sight)))
    yield from (behind, wanted, drift)


def _calls(totals: Totals) -> Iterator[Metric]:
    by = ("replica", "label")
    asked = _counter("golden_answers", "Golden questions that were answered.", *by)
    wrong = _counter("golden_wrong_answers", "Golden questions that were answered wrongly.", *by)
    calls = _counter("calls", "Calls with a golden question, by gRPC status.", *by, "code")
    took = HistogramMetricFamily(
        f"{PREFIX}call_duration_seconds", "How long the calls took that were answered.", labels=by
    )
    for key, tally in sorted(totals.items()):
        asked.add_metric(key, tally.answered)
        wrong.add_metric(key, tally.wrong)
        for code, count in sorted(tally.codes.items()):
            calls.add_metric((*key, code), count)
        took.add_metric(key, _buckets(tally), tally.seconds)
    yield from (asked, wrong, calls, took)


def _rollouts(sight: Sight) -> Iterator[Metric]:
    share = _gauge("traffic_weight_ratio", "The share of callers' traffic, 0 to 1.", "label")
    events = _counter("rollout_events", "Events in the history of rollouts.", "kind")
    moments = _gauge("rollout_last_event_timestamp_seconds", "The last event of this kind.", "kind")
    weights = sight.weights or {}
    for label, weight in weights.items():
        share.add_metric([label], weight / (sum(weights.values()) or 1))
    if sight.events is not None:
        for what, count in sorted(sight.events.counts.items()):
            events.add_metric([what], count)
        for what, moment in sorted(sight.events.moments.items()):
            moments.add_metric([what], moment)
    yield from (share, events, moments)


def _prober(sight: Sight) -> Iterator[Metric]:
    readable = _gauge("input_readable", "Whether what the prober reads could be read.", "input")
    for source, why in sight.sources.items():
        readable.add_metric([source], not why)
    yield readable
    ended = _gauge("last_round_timestamp_seconds", "The end of the last whole round.")
    ended.add_metric([], sight.ended)
    yield ended
    took = _gauge("last_round_duration_seconds", "How long the last whole round took.")
    took.add_metric([], sight.seconds)
    yield took


def _buckets(tally: Tally) -> list[tuple[str, float]]:
    """As Prometheus counts: in each, everything up to its limit."""
    limits = map(floatToGoString, (*LIMITS, float("inf")))
    return list(zip(limits, accumulate(tally.within), strict=True))


def _gauge(name: str, told: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}{name}", told, labels=labels)


def _counter(name: str, told: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"{PREFIX}{name}", told, labels=labels)
