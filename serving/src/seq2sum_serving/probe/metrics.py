"""The metrics of the exporter, computed from the last observation and the counters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from seq2sum_serving.probe.counters import BUCKET_BOUNDS, CallCounters, Counters
from seq2sum_serving.probe.findings import config_drift
from seq2sum_serving.probe.observation import Observation

PREFIX = "seq2sum_probe_"


def metric_families(
    observation: Observation, counters: Counters, *, model: str
) -> Iterator[Metric]:
    """Yields all metrics, each sample with the label `model`. Unknown values have no series."""
    for part in (
        _replicas(observation),
        _labels(observation),
        _calls(counters),
        _rollouts(observation),
        _rounds(observation),
    ):
        for family in part:
            family.samples = [
                sample._replace(labels={"model": model, **sample.labels})
                for sample in family.samples
            ]
            yield family


def merged(families: Iterable[Metric]) -> list[Metric]:
    """Returns one family for each name, with the samples of all models."""
    found: dict[str, Metric] = {}
    for family in families:
        if family.name in found:
            found[family.name].samples += family.samples
        else:
            found[family.name] = family
    return list(found.values())


def _replicas(observation: Observation) -> Iterator[Metric]:
    up = _gauge("replica_up", "1 if the replica reports its versions.", "replica")
    states = _gauge(
        "version_state",
        "1 for the state that the replica reports for a version.",
        *("replica", "version", "state"),
    )
    not_after = _gauge(
        "certificate_not_after_timestamp_seconds",
        "Expiry date of the replica's certificate.",
        "replica",
    )
    for replica in observation.replicas:
        up.add_metric([replica.target], replica.up)
        for version, entry in sorted(replica.versions.items()):
            states.add_metric([replica.target, str(version), entry.state.name], 1)
    for target, certificate in observation.certificates.items():
        if certificate.not_after is not None:
            not_after.add_metric([target], certificate.not_after)
    yield from (up, states, not_after)


def _labels(observation: Observation) -> Iterator[Metric]:
    actual = _gauge("label_version", "Version that the label points to.", "replica", "label")
    desired = _gauge("label_desired_version", "Version in the model config file.", "label")
    drift = _gauge("config_drift", "Differences between model config file, disk and replicas.")
    for replica in observation.replicas:
        for label, version in sorted(replica.labels.items()):
            if version is not None:
                actual.add_metric([replica.target, label], version)
    if observation.recorded is not None:
        for label, version in sorted(observation.recorded.labels.items()):
            desired.add_metric([label], version)
        drift.add_metric([], len(config_drift(observation)))
    yield from (actual, desired, drift)


def _calls(counters: Counters) -> Iterator[Metric]:
    by = ("replica", "label")
    answers = _counter("golden_answers", "Answers to golden requests.", *by)
    wrong_answers = _counter("golden_wrong_answers", "Answers that are not as expected.", *by)
    calls = _counter("calls", "Calls with golden requests, or for metadata.", *by, "code")
    durations = HistogramMetricFamily(
        f"{PREFIX}call_duration_seconds", "Durations of successful calls.", labels=by
    )
    for key, counter in sorted(counters.items()):
        answers.add_metric(key, counter.answers)
        wrong_answers.add_metric(key, counter.wrong_answers)
        for code, count in sorted(counter.codes.items()):
            calls.add_metric((*key, code), count)
        durations.add_metric(key, _cumulative_buckets(counter), counter.seconds)
    yield from (answers, wrong_answers, calls, durations)


def _rollouts(observation: Observation) -> Iterator[Metric]:
    ratio = _gauge("traffic_weight_ratio", "Share of the traffic, 0 to 1.", "label")
    events = _counter("rollout_events", "Events in the rollout history.", "kind")
    last = _gauge("rollout_last_event_timestamp_seconds", "Time of the last event.", "kind")
    weights = observation.weights or {}
    for label, weight in weights.items():
        ratio.add_metric([label], weight / (sum(weights.values()) or 1))
    if observation.events is not None:
        for kind, count in sorted(observation.events.counts.items()):
            events.add_metric([kind], count)
        for kind, timestamp in sorted(observation.events.last_timestamps.items()):
            last.add_metric([kind], timestamp)
    yield from (ratio, events, last)


def _rounds(observation: Observation) -> Iterator[Metric]:
    readable = _gauge("input_readable", "1 if the input of the probe could be read.", "input")
    for name, error in observation.input_errors.items():
        readable.add_metric([name], not error)
    finished = _gauge("last_round_timestamp_seconds", "End of the last complete round.")
    finished.add_metric([], observation.finished)
    seconds = _gauge("last_round_duration_seconds", "Duration of the last complete round.")
    seconds.add_metric([], observation.seconds)
    yield from (readable, finished, seconds)


def _cumulative_buckets(counter: CallCounters) -> list[tuple[str, float]]:
    bounds = map(floatToGoString, (*BUCKET_BOUNDS, float("inf")))
    return list(zip(bounds, accumulate(counter.buckets), strict=True))


def _gauge(name: str, documentation: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}{name}", documentation, labels=labels)


def _counter(name: str, documentation: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"{PREFIX}{name}", documentation, labels=labels)
