"""What Prometheus reads is a function of what was seen and counted."""

from __future__ import annotations

import math

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from seq2sum_serving.deployment.state import Replica
from seq2sum_serving.probe.counters import added
from seq2sum_serving.probe.exporter import Published
from seq2sum_serving.probe.metrics import families
from seq2sum_serving.probe.observation import Certificate, Events, Sight
from support.observations import A, B, failed, right, sight, wrong
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
"""Dashboards and alerts are written with these."""
FULL = sight(
    certificates={A: Certificate(1.8e9), B: Certificate(None, "no")},
    weights={"stable": 95.0, "canary": 5.0},
    events=Events({"promoted": 2, "failed": 0}, {"promoted": 1.7e9}),
    sources={"record": "", "history": "cannot read it"},
    ended=1.75e9,
    seconds=0.25,
)


def series(seen, totals=None):
    """Every sample by its name, without the prefix, and the values of its labels."""
    found = {}
    totals = added({}, seen) if totals is None else totals
    for family in families(seen, totals, model="sums"):
        for sample in family.samples:
            labels = dict(sample.labels)
            assert labels.pop("model") == "sums"
            key = (sample.name.removeprefix("seq2sum_probe_"), *labels.values())
            assert key not in found
            found[key] = float(sample.value)
    return found


def test_names_kinds_and_labels_are_what_dashboards_are_written_with():
    found = {}
    for family in families(FULL, added({}, FULL), model="sums"):
        assert all(sample.labels["model"] == "sums" for sample in family.samples)
        labels = {name for sample in family.samples for name in sample.labels} - {"le", "model"}
        found[family.name.removeprefix("seq2sum_probe_")] = (family.type, labels)
        assert family.documentation.endswith(".")
    assert found == NAMES


def test_what_was_seen_is_what_is_told():
    found = series(FULL)
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
        ("input_readable", "record"): 1,
        ("input_readable", "history"): 0,
        ("last_round_timestamp_seconds",): 1.75e9,
        ("last_round_duration_seconds",): 0.25,
    }.items():
        assert found[key] == pytest.approx(value), key
    assert ("certificate_not_after_timestamp_seconds", B) not in found
    assert ("rollout_last_event_timestamp_seconds", "failed") not in found


def test_a_replica_that_is_down_has_calls_that_failed_and_nothing_else():
    there = [replica("2A", {"stable": 2, "canary": None}, A), Replica(B, error="UNAVAILABLE gone")]
    seen = sight(*there, calls={(A, "stable"): [right()], (B, "stable"): [failed()]})
    found = series(seen)
    assert found["replica_up", A] == 1
    assert found["replica_up", B] == 0
    assert ("label_version", A, "canary") not in found
    assert {
        key for key in found if B in key and not key[0].startswith("call_duration_seconds")
    } == {
        ("replica_up", B),
        ("golden_answers_total", B, "stable"),
        ("golden_wrong_answers_total", B, "stable"),
        ("calls_total", B, "stable", "OK"),
        ("calls_total", B, "stable", "UNAVAILABLE"),
    }
    assert found["calls_total", B, "stable", "UNAVAILABLE"] == 1
    assert (
        found["golden_answers_total", B, "stable"] == 0
    )  # nothing was answered, so nothing is right
    assert found["call_duration_seconds_count", B, "stable"] == 0


def test_two_models_share_no_series():
    pages = [
        {
            (sample.name, *sorted(sample.labels.items()))
            for family in families(FULL, added({}, FULL), model=model)
            for sample in family.samples
        }
        for model in ("seq2sum", "other")
    ]
    assert not pages[0] & pages[1]


def test_what_is_not_known_has_no_series():
    unreadable = sight(wanted=None, sources={"record": "there is no model config file"})
    names = {key[0] for key in series(unreadable)}
    assert not names & {
        "label_desired_version",
        "config_drift",
        "traffic_weight_ratio",
        "rollout_events_total",
    }
    assert {"replica_up", "label_version", "calls_total"} <= names


@pytest.mark.parametrize(
    ("there", "sentences"),
    [
        ([replica("2A", {"stable": 2, "canary": 2}, A)], 0),
        ([replica("2A", {"stable": 1, "canary": 2}, A)], 1),
        ([replica("2L", {"stable": None, "canary": None}, A)], 3),
        ([replica("2A 3A", {"stable": 2, "canary": 2}, A), Replica(B, error="gone")], 2),
    ],
)
def test_drift_is_the_number_of_sentences_that_status_would_say(there, sentences):
    assert series(sight(*there))["config_drift",] == sentences


def test_what_is_on_disk_counts_where_it_is_seen_only():
    assert series(sight(on_disk=[1]))["config_drift",] == 1
    assert series(sight(on_disk=[1, 2]))["config_drift",] == 0


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ({"stable": 100.0}, {"stable": 1.0}),
        ({"stable": 3.0, "canary": 1.0}, {"stable": 0.75, "canary": 0.25}),
        ({"stable": 0.0}, {"stable": 0.0}),
        ({}, {}),
    ],
)
def test_weights_become_shares(weights, shares):
    found = series(sight(weights=weights))
    told = {key[1]: value for key, value in found.items() if key[0] == "traffic_weight_ratio"}
    assert told == shares


def test_buckets_count_everything_up_to_their_limit():
    calls = [right(0.0005), right(0.002), right(0.002), wrong(), right(7.0), failed()]
    found = series(sight(calls={(A, "stable"): calls}))
    buckets = {
        key[3]: value for key, value in found.items() if key[0] == "call_duration_seconds_bucket"
    }
    assert (buckets["0.001"], buckets["0.0025"], buckets["5.0"], buckets["+Inf"]) == (1, 4, 4, 5)
    assert list(buckets.values()) == sorted(buckets.values())
    assert found["call_duration_seconds_count", A, "stable"] == 5
    assert found["call_duration_seconds_sum", A, "stable"] == pytest.approx(7.0065)


def test_the_page_is_one_that_prometheus_reads():
    registry, published = CollectorRegistry(), Published("sums")
    registry.register(published)
    empty = list(text_string_to_metric_families(generate_latest(registry).decode()))
    told = {sample.name: sample.value for family in empty for sample in family.samples}
    assert told.keys() == {
        "seq2sum_probe_last_round_timestamp_seconds",
        "seq2sum_probe_last_round_duration_seconds",
    }
    assert told["seq2sum_probe_last_round_timestamp_seconds"] > 1.7e9  # an alert has a beginning

    odd = sight(replica("2A", {"stable": 2}, 'a"\\\n:1'), calls={('a"\\\n:1', "stable"): [right()]})
    published.publish(odd)
    read = list(text_string_to_metric_families(generate_latest(registry).decode()))
    replicas = {s.labels["replica"] for f in read for s in f.samples if "replica" in s.labels}
    assert replicas == {'a"\\\n:1'}


def test_series_of_who_is_gone_go_too():
    published = Published("sums")
    published.publish(sight())
    published.publish(sight(replica("2A", {"stable": 2, "canary": 2}, A)))
    assert not any(B in key for key in series(*published.last))
    published.publish(Sight(ended=math.pi))
    assert series(*published.last) == {
        ("last_round_timestamp_seconds",): math.pi,
        ("last_round_duration_seconds",): 0,
    }
