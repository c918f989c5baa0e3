"""The metrics are a function of the observation and the counters."""

from __future__ import annotations

import math

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from seq2sum_serving.deployment.state import Replica
from seq2sum_serving.probe.counters import accumulate
from seq2sum_serving.probe.exporter import ObservationCollector
from seq2sum_serving.probe.metrics import PREFIX, metric_families
from seq2sum_serving.probe.observation import Certificate, Events, Observation
from support.observations import A, B, correct, failed, observe, wrong
from support.situations import replica

NAMES = {
    "replica_up": ("gauge", {"replica"}),
    "version_state": ("gauge", {"replica", "version", "state"}),
    "label_version": ("gauge", {"replica", "label"}),
    "label_desired_version": ("gauge", {"label"}),
    "config_drift": ("gauge", set()),
    "golden_answers": ("counter", {"replica", "label"}),
    "golden_wrong_answers": ("counter", {"replica", "label"}),
    "calls": ("counter", {"replica", "label", "code"}),
    "call_duration_seconds": ("histogram", {"replica", "label"}),
    "traffic_weight_ratio": ("gauge", {"label"}),
    "rollout_events": ("counter", {"kind"}),
    "rollout_last_event_timestamp_seconds": ("gauge", {"kind"}),
    "certificate_not_after_timestamp_seconds": ("gauge", {"replica"}),
    "input_readable": ("gauge", {"input"}),
    "last_round_timestamp_seconds": ("gauge", set()),
    "last_round_duration_seconds": ("gauge", set()),
}
"""Dashboard and alerts depend on these."""
FULL = observe(
    certificates={A: Certificate(1.8e9), B: Certificate(None, "no")},
    weights={"stable": 95.0, "canary": 5.0},
    events=Events({"promoted": 2, "failed": 0}, {"promoted": 1.7e9}),
    input_errors={"model_config": "", "history": "cannot read it"},
    finished=1.75e9,
    seconds=0.25,
)


def samples(observation, counters=None):
    """Every sample by its name without the prefix and the values of its labels."""
    found = {}
    counters = accumulate({}, observation) if counters is None else counters
    for family in metric_families(observation, counters, model="sums"):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("model") == "sums"
            key = (sample.name.removeprefix(PREFIX), *labels.values())
            assert key not in found
            found[key] = float(sample.value)
    return found


def test_metrics_have_the_names_types_and_labels_that_dashboards_use():
    found = {}
    for family in metric_families(FULL, accumulate({}, FULL), model="sums"):
        labels = {name for sample in family.samples for name in sample.labels} - {"le", "model"}
        found[family.name.removeprefix(PREFIX)] = (family.type, labels)
        assert family.documentation.endswith(".")
    assert found == NAMES


def test_samples_have_the_observed_values():
    found = samples(FULL)
    for key, value in {
        ("replica_up", A): 1,
        ("version_state", A, "2", "AVAILABLE"): 1,
        ("label_version", B, "canary"): 2,
        ("label_desired_version", "stable"): 2,
        ("config_drift",): 0,
        ("golden_answers_total", A, "stable"): 1,
        ("golden_wrong_answers_total", A, "stable"): 0,
        ("calls_total", A, "stable", "OK"): 1,
        ("traffic_weight_ratio", "canary"): 0.05,
        ("rollout_events_total", "promoted"): 2,
        ("rollout_events_total", "failed"): 0,
        ("rollout_last_event_timestamp_seconds", "promoted"): 1.7e9,
        ("certificate_not_after_timestamp_seconds", A): 1.8e9,
        ("input_readable", "model_config"): 1,
        ("input_readable", "history"): 0,
        ("last_round_timestamp_seconds",): 1.75e9,
        ("last_round_duration_seconds",): 0.25,
    }.items():
        assert found[key] == pytest.approx(value), key
    assert ("certificate_not_after_timestamp_seconds", B) not in found
    assert ("rollout_last_event_timestamp_seconds", "failed") not in found


def test_a_replica_that_is_down_has_failed_calls_only():
    replicas = [
        replica("2A", {"stable": 2, "canary": None}, A),
        Replica(B, error="UNAVAILABLE gone"),
    ]
    calls = {(A, "stable"): [correct()], (B, "stable"): [failed()]}
    found = samples(observe(*replicas, calls=calls))
    assert found["replica_up", A] == 1
    assert ("label_version", A, "canary") not in found
    of_b = {key: value for key, value in found.items() if B in key and "duration" not in key[0]}
    assert of_b == {
        ("replica_up", B): 0,
        ("golden_answers_total", B, "stable"): 0,  # a failed call is not a correct answer
        ("golden_wrong_answers_total", B, "stable"): 0,
        ("calls_total", B, "stable", "OK"): 0,
        ("calls_total", B, "stable", "UNAVAILABLE"): 1,
    }
    assert found["call_duration_seconds_count", B, "stable"] == 0


def test_two_models_share_no_series():
    series = [
        {
            (sample.name, *sorted(sample.labels.items()))
            for family in metric_families(FULL, accumulate({}, FULL), model=model)
            for sample in family.samples
        }
        for model in ("seq2sum", "other")
    ]
    assert not series[0] & series[1]


def test_unknown_values_have_no_series():
    unreadable = observe(desired=None, input_errors={"model_config": "no model config file"})
    names = {key[0] for key in samples(unreadable)}
    assert not names & {
        "label_desired_version",
        "config_drift",
        "traffic_weight_ratio",
        "rollout_events_total",
    }
    assert {"replica_up", "label_version", "calls_total"} <= names


@pytest.mark.parametrize(
    ("replicas", "differences"),
    [
        ([replica("2A", {"stable": 2, "canary": 2}, A)], 0),
        ([replica("2A", {"stable": 1, "canary": 2}, A)], 1),
        ([replica("2L", {"stable": None, "canary": None}, A)], 3),
        ([replica("2A 3A", {"stable": 2, "canary": 2}, A), Replica(B, error="gone")], 2),
    ],
)
def test_config_drift_is_the_number_of_differences_that_status_lists(replicas, differences):
    assert samples(observe(*replicas))["config_drift",] == differences


def test_config_drift_includes_the_disk_if_it_is_readable():
    assert samples(observe(on_disk=[1]))["config_drift",] == 1
    assert samples(observe(on_disk=[1, 2]))["config_drift",] == 0


@pytest.mark.parametrize(
    ("weights", "ratios"),
    [
        ({"stable": 100.0}, {"stable": 1.0}),
        ({"stable": 3.0, "canary": 1.0}, {"stable": 0.75, "canary": 0.25}),
        ({"stable": 0.0}, {"stable": 0.0}),
        ({}, {}),
    ],
)
def test_weights_are_exported_as_ratios(weights, ratios):
    found = samples(observe(weights=weights))
    assert {
        key[1]: value for key, value in found.items() if key[0] == "traffic_weight_ratio"
    } == ratios


def test_buckets_are_cumulative():
    calls = [correct(0.0005), correct(0.002), correct(0.002), wrong(), correct(7.0), failed()]
    found = samples(observe(calls={(A, "stable"): calls}))
    name = "call_duration_seconds"
    buckets = {key[3]: value for key, value in found.items() if key[0] == f"{name}_bucket"}
    assert (buckets["0.001"], buckets["0.0025"], buckets["5.0"], buckets["+Inf"]) == (1, 4, 4, 5)
    assert list(buckets.values()) == sorted(buckets.values())
    assert found[f"{name}_count", A, "stable"] == 5
    assert found[f"{name}_sum", A, "stable"] == pytest.approx(7.0065)


def scrape(collector):
    registry = CollectorRegistry()
    registry.register(collector)
    text = generate_latest(registry).decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def test_prometheus_can_parse_the_metrics():
    collector = ObservationCollector(["sums"])
    values = {sample.name: sample.value for sample in scrape(collector)}
    finished, seconds = (
        f"{PREFIX}last_round_timestamp_seconds",
        f"{PREFIX}last_round_duration_seconds",
    )
    assert values.keys() == {finished, seconds}
    assert values[finished] > 1.7e9  # so that ProbeSilent has a start to count from

    target = 'a"\\\n:1'
    found = observe(replica("2A", {"stable": 2}, target), calls={(target, "stable"): [correct()]})
    collector.update({"sums": found})
    assert {s.labels["replica"] for s in scrape(collector) if "replica" in s.labels} == {target}


def test_series_of_a_removed_replica_disappear():
    collector = ObservationCollector(["sums"])
    collector.update({"sums": observe()})
    collector.update({"sums": observe(replica("2A", {"stable": 2, "canary": 2}, A))})
    assert not any(B in key for key in samples(*collector.last["sums"]))
    collector.update({"sums": Observation(finished=math.pi)})
    assert samples(*collector.last["sums"]) == {
        ("last_round_timestamp_seconds",): math.pi,
        ("last_round_duration_seconds",): 0,
    }


def test_models_share_families_and_each_sample_names_its_model():
    collector = ObservationCollector(["sums", "gone"])
    families = list(collector.collect())
    assert len({family.name for family in families}) == len(families)
    collector.update({"sums": observe(), "new": observe()})
    collector.update({"sums": observe(), "new": observe(calls={(A, "stable"): [wrong()]})})
    found = {
        (sample.labels["model"], sample.labels["replica"], sample.labels["label"]): sample.value
        for sample in scrape(collector)
        if sample.name == f"{PREFIX}golden_wrong_answers_total"
    }
    assert found == {
        **{("sums", target, label): 0 for target in (A, B) for label in ("stable", "canary")},
        ("new", A, "stable"): 1,
    }
    assert {sample.labels["model"] for sample in scrape(collector)} == {"sums", "new"}
