"""The candidate group's metrics and memory, from a Prometheus that tests replace."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from msgspec.structs import replace
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.deployment.model_store import ModelStore
from seq2sum_serving.gates import policy
from seq2sum_serving.gates.group_comparison import GATES
from seq2sum_serving.gates.live import ProbeResults
from seq2sum_serving.gates.metric_providers.prometheus import QueryFailed
from seq2sum_serving.rollout.analysis import Analysis
from seq2sum_serving.rollout.group_analysis import judge_memory, judge_metrics

BASE = policy.default()


class FakePrometheus:
    """Each server group has one server that answered 100 calls, and 5 failed."""

    def __init__(self, error=None):
        self.queries = []
        self.error = error

    def value(self, query):
        self.queries.append(query)
        if self.error:
            raise QueryFailed(self.error)
        if "request_latency_count" in query:
            return 100.0
        return 0.0 if "== 0)" in query else 1.0

    def by_label(self, query, label):
        self.queries.append(query)
        assert f"sum by ({label})" in query
        return {"INTERNAL": 5.0}


@pytest.fixture
def executor(tmp_path):
    for name in ("1", "002"):
        (tmp_path / name).mkdir()
    config = SimpleNamespace(base_path=lambda: "/models/price")
    return SimpleNamespace(model="price", store=ModelStore(tmp_path), config=config)


def judged(prometheus, executor, results=None, limits=BASE):
    results = results or ProbeResults()
    return judge_metrics(prometheus, executor, limits, results, 59.5, version=2, stable=1)


def test_each_group_is_queried_for_its_version_over_the_same_seconds(executor):
    prometheus = FakePrometheus()
    assert tuple(each.gate for each in judged(prometheus, executor)) == GATES
    by_group = {
        job: [query for query in prometheus.queries if f'job="{job}"' in query]
        for job in ("serving", "candidate")
    }
    assert sum(map(len, by_group.values())) == len(prometheus.queries)
    for job, folder in (("serving", "1"), ("candidate", "002")):
        paths = [query for query in by_group[job] if "model_path" in query]
        assert [f"/models/price/{folder}" in query for query in paths] == [True]
    other = [query.replace("serving:", "") for query in by_group["serving"]]
    same = [query.replace("serving:", "") for query in by_group["candidate"]]
    assert [query.replace("serving", "candidate") for query in other[:-1]] == same[:-1]
    assert all("[60s]" in query or "model_path" in query for query in prometheus.queries)


def test_probes_of_both_versions_are_not_calls_of_callers(executor):
    results = ProbeResults()
    for _ in range(5):
        results.record_error("canary")
    for _ in range(90):
        results.record_answer("canary", 0.01, right=True)
    errors, latency, *_ = judged(FakePrometheus(), executor, results)
    assert (errors.verdict, errors.values["probes"]) == (Verdict.SUCCESSFUL, 95)
    assert "5 of 105 calls to the candidate group failed (5 INTERNAL)" in errors.message
    assert latency.verdict is Verdict.SKIPPED


def test_metrics_that_cannot_be_queried_are_an_error_of_a_gate(executor):
    [found] = judged(FakePrometheus("Prometheus is down"), executor)
    assert (found.gate, found.verdict) == ("errors (metrics)", Verdict.ERROR)
    assert found.message == "the groups are judged by probes only: Prometheus is down"


@pytest.mark.parametrize("key", ["stable", "candidate"])
def test_no_group_is_judged_without_a_selector(executor, key):
    limits = replace(BASE, metrics=replace(BASE.metrics, **{key: ""}))
    prometheus = FakePrometheus()
    assert judged(prometheus, executor, limits=limits) == []
    assert prometheus.queries == []


def test_memory_of_both_groups():
    limits = replace(BASE, memory=replace(BASE.memory, query="sum(x)", candidate_query="sum(y)"))
    prometheus = FakePrometheus()
    assert judge_memory(prometheus, limits).verdict is Verdict.SUCCESSFUL
    assert prometheus.queries == ["sum(x)", "sum(y)"]
    assert judge_memory(None, limits).verdict is Verdict.ERROR
    assert judge_memory(FakePrometheus(), BASE).verdict is Verdict.SKIPPED


@pytest.mark.parametrize(
    ("prometheus", "has_candidate_group", "expected"),
    [
        (FakePrometheus(), True, GATES),
        (None, True, ()),
        (None, False, ()),
    ],
)
def test_a_step_judges_the_groups_if_there_is_a_metric_provider(
    executor, monkeypatch, prometheus, has_candidate_group, expected
):
    monkeypatch.setattr(Analysis, "_golden_set", None)
    executor.replicas = SimpleNamespace(clients=lambda: {"localhost:8500": None})
    placement = SimpleNamespace(
        stable=executor, replicas=executor.replicas, is_separate=has_candidate_group
    )
    analysis = Analysis(placement, 2, 1, BASE, prometheus)
    found = analysis.judge_step(0.01, lambda: False, lambda _: None)
    gates = tuple(each.gate for each in found)
    assert gates == ("errors", "correctness", "latency (live)", *expected)
