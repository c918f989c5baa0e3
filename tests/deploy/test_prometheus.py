"""Every query of dashboard and rules, evaluated by a real Prometheus that monitors real servers.

Scrapes happen every second instead of every five, and `$__rate_interval`, which in Grafana is at
least four scrapes long, is five seconds. The queries are otherwise unchanged.
"""

from __future__ import annotations

import json
import math
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest
import seq2sum
from deploy import dashboard_queries
from deploy import monitoring_files as files
from deploy.monitored_deployment import MODEL, MonitoredDeployment
from seq2sum_serving.gates.metric_providers import server_groups
from seq2sum_serving.gates.metric_providers.prometheus import Prometheus
from support.broken_models import truncated
from support.system import needs
from support.weighted_callers import Callers

pytestmark = [needs("prometheus"), pytest.mark.embedded]

INTERVAL = 1.0
WINDOW = "5s"
MARGIN = 1.5 * INTERVAL
"""Seconds without calls before and after the boundary between two periods, so that the counts do
not depend on the time of a scrape."""
CALLS = ":tensorflow:serving:request_count"


@pytest.fixture(scope="module", autouse=True)
def no_proxy():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "127.0.0.1")
        yield


@pytest.fixture(scope="module")
def monitored(small_version, tmp_path_factory):
    folder = tmp_path_factory.mktemp("monitored")
    with MonitoredDeployment(folder, small_version, interval=INTERVAL) as monitored:
        yield monitored


@pytest.fixture(scope="module")
def prometheus(monitored):
    return monitored.prometheus


@dataclass(frozen=True)
class Period:
    """The calls of a period."""

    good: int
    bad: int
    slowest: float
    """Seconds, measured by the caller."""
    start: float
    seconds: int = 0
    """The length of the window over which they are evaluated."""


def make_calls(monitored, good, bad, *, before=0):
    """Makes calls, and waits until Prometheus has scraped all of them."""
    start, slowest = time.monotonic(), 0.0
    retry = seq2sum.Retry(max_attempts=1)
    with seq2sum.Client(monitored.deployed.targets, retry=retry) as client:
        for number in range(good):
            called = time.monotonic()
            client.add(f"{number % 10}+{number // 10}")
            slowest = max(slowest, time.monotonic() - called)
        for _ in range(bad):
            with pytest.raises(seq2sum.VersionNotFound):
                client.add("1+1", version=77)
    monitored.prometheus.until(f"sum({CALLS}) == {before + good + bad}")
    return Period(good, bad, slowest, start)


@pytest.fixture(scope="module")
def first(monitored):
    """The very first calls, and the metrics that gates compute from them."""
    period = make_calls(monitored, good=60, bad=7)
    seconds = math.ceil(time.monotonic() - period.start)
    prometheus = Prometheus(monitored.prometheus.url)
    group = server_groups.read(
        prometheus, MODEL, seconds, selector='job="serving"', path=f"{monitored.deployed.base}/1"
    )
    return period, prometheus.live(MODEL, seconds), group


@pytest.fixture(scope="module")
def second(monitored, first):
    """Further calls; the first ones are in the window of the same length before."""
    time.sleep(2 * MARGIN)
    period = make_calls(monitored, good=90, bad=30, before=first[0].good + first[0].bad)
    boundary = period.start - MARGIN
    seconds = math.ceil(boundary - first[0].start) + 1
    time.sleep(max(0.0, boundary + seconds - time.monotonic()))
    live = Prometheus(monitored.prometheus.url).live(MODEL, seconds, ago=seconds)
    return replace(period, seconds=seconds), live


@pytest.fixture(scope="module")
def rollout_period(monitored, second, small_version):  # noqa: ARG001 the calls before are counted
    """Runs rollouts, a rollback, a failed version and overload; returns the start and end times."""
    start = time.time()
    deployed, until = monitored.deployed, monitored.prometheus.until
    assert deployed.rollout("promote", "1").code == 0
    monitored.start_probe(0.2)
    with Callers(deployed), seq2sum.Client(monitored.envoy.target) as client, calling(client):
        deployed.copy_version(small_version, 2)
        truncated(small_version, deployed.base / "staged").rename(deployed.base / "3")
        assert deployed.rollout("canary", "2", "--without-gates", "--weight", "30").code == 0
        post(monitored.server, "predict", {"instances": ["53+42"]})
        assert deployed.rollout("promote", "2", "--without-gates").code == 0
        assert deployed.rollout("rollback", "--reason", "to see it").code == 0
        assert deployed.rollout("canary", "3", "--without-gates").code == 1
        for _ in range(2):  # a rate needs two increases
            assert "Unavailable" in monitored.overload()
            until(f'rate({CALLS}{{status="UNAVAILABLE"}}[{WINDOW}]) >= 0')
        with pytest.raises(seq2sum.Seq2SumError):
            client.add("1+1", label="unknown")
        until('seq2sum_probe_rollout_events_total{kind="rolled back"} > 0')
        until("seq2sum:errors:ratio5m > 0")
        until(f"rate(seq2sum_probe_call_duration_seconds_bucket[{WINDOW}]) > 0")
        through_envoy = 'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="stable"}'
        until(f"rate({through_envoy}[{WINDOW}]) > 0")  # Envoy updates it every five seconds
    return start, time.time()


@contextmanager
def calling(client):
    """Makes calls in a thread while the context is open."""
    over = threading.Event()

    def call():
        while not over.wait(0.05):
            client.add("2+3")

    with ThreadPoolExecutor(1) as pool:
        calls = pool.submit(call)
        try:
            yield
        finally:
            over.set()
        calls.result()


def post(server, action, body):
    url = f"{server.url}/v1/models/{MODEL}:{action}"
    with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=10) as reply:
        return json.load(reply)


def test_live_metrics_count_the_very_first_calls_in_full(first):
    # Their counters have no earlier value to compare with.
    period, live, _ = first
    assert live.calls == period.good + period.bad
    assert live.errors == period.bad
    assert not live.calls_before


def test_metrics_of_a_group_of_real_servers(first):
    period, _, group = first
    assert (group.servers, group.unscraped) == (1, 0)
    assert group.answered == group.queued == period.good
    assert group.errors == {"NOT_FOUND": period.bad}
    assert 0 < group.p50_milliseconds <= group.p99_milliseconds < 1800 * period.slowest
    assert 0 < group.queue_p99_milliseconds < 1200 * period.slowest
    assert 0 < group.load_seconds < 60


def test_live_metrics_separate_two_periods(first, second):
    (before, *_), (period, live) = first, second
    assert live.calls == period.good + period.bad
    assert live.errors == period.bad
    assert live.calls_before == before.good + before.bad
    assert live.errors_before == before.bad
    assert 0 < live.p99_milliseconds < 1800 * period.slowest  # bucket bounds are 1.8 apart


def test_the_memory_gate_can_query_memory(prometheus, first):  # noqa: ARG001 after some scrapes
    provider = Prometheus(prometheus.url)
    assert provider.value('max(process_resident_memory_bytes{job="prometheus"})') > 1e6
    # The example in the policy; no containers are scraped here.
    example = 'max(container_memory_working_set_bytes{container="serving"})'
    assert example in (files.ROOT / "serving/src/seq2sum_serving/gates/policy.toml").read_text()
    assert provider.value(example) is None


DASHBOARD = files.dashboard()
QUERIES = dashboard_queries.of_dashboard(DASHBOARD)
EMPTY = {"Certificate expiry A": "the server does not use TLS"}
"""Queries without a result here, and the reason."""


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_query_of_the_dashboard_has_a_result(query, prometheus, rollout_period):
    expression = query.substituted(window=WINDOW)
    if query.instant:
        found = prometheus.query(expression)
        found = [series for series in found if not math.isnan(series.value)]
    else:
        found = prometheus.query_range(expression, *rollout_period, INTERVAL)
    assert bool(found) == (str(query) not in EMPTY)
    names = [query.series_name(series.labels) for series in found]
    if query.panel != "Last event of each kind":  # a table has columns instead
        assert len(set(names)) == len(names)
        assert all(names) or query.legend == ""


def test_annotations_of_the_dashboard_are_at_the_time_of_their_events(prometheus, rollout_period):
    start, end = rollout_period
    rollouts, failures, alerts = dashboard_queries.annotations(DASHBOARD)
    for query, event in ((rollouts, "promoted"), (failures, "rolled back"), (failures, "failed")):
        found = prometheus.query_range(query.substituted(window=WINDOW), start, end, INTERVAL)
        times = {query.series_name(series.labels): series.value / 1000 for series in found}
        assert start < times[event] < end
    prometheus.query(alerts.expression)


def test_variables_of_the_dashboard_have_values(monitored, rollout_period):  # noqa: ARG001
    _, model, replica = DASHBOARD["templating"]["list"]
    assert variable_values(monitored.prometheus, model) == {MODEL}
    assert variable_values(monitored.prometheus, replica) == {monitored.server.target}


def variable_values(prometheus, variable):
    selector, label = variable["query"]["query"].removesuffix(")").split("(")[1].rsplit(", ", 1)
    return {series.labels[label] for series in prometheus.query(selector)}


def test_every_rule_can_be_evaluated(prometheus, rollout_period):  # noqa: ARG001
    rules = prometheus.rules()
    assert {rule["name"] for rule in rules} == {*files.rules("alert"), *files.rules("record")}
    assert [rule for rule in rules if rule["health"] != "ok"] == []


@pytest.mark.parametrize("name", files.rules("record"))
def test_a_recording_rule_has_a_result(name, prometheus, rollout_period):  # noqa: ARG001
    assert prometheus.query(name)


def test_alerts_of_the_rollout_period_are_raised(prometheus, rollout_period):  # noqa: ARG001
    # Those with `for` are pending.
    raised = {series.labels["alertname"] for series in prometheus.query("ALERTS")}
    assert {"VersionRolledBack", "RolloutFailed", "VersionLoadFailed", "BatchQueueFull"} <= raised
    assert not raised & {"ServingDown", "TargetDown", "ReplicaDown", "ProbeSilent"}
    assert not raised & {"WrongGoldenAnswers", "LabelsDiffer", "CertificateExpires"}
    assert "RuleEvaluationFailing" not in raised


def test_model_names_that_callers_make_up_are_dropped(monitored, rollout_period):  # noqa: ARG001
    server, prometheus = monitored.server, monitored.prometheus
    scraped = "sum(scrape_samples_scraped{job='serving'})"
    before = prometheus.value(scraped)
    client = seq2sum.Client(server.target, model="made-up")
    with client, pytest.raises(seq2sum.Seq2SumError):
        client.add("1+1")
    with urllib.request.urlopen(f"{server.url}/monitoring/prometheus/metrics", timeout=10) as page:
        assert b'model_name="made-up"' in page.read()
    prometheus.until(f"{scraped} > {before}")
    assert not prometheus.query('{model_name="made-up"}')
    assert not prometheus.query('{__name__=~".+padding_size.+|.+_by_stage_bucket"}')


def test_a_scrape_has_as_few_series_as_prometheus_yml_states(prometheus, rollout_period):  # noqa: ARG001
    kept = prometheus.value("scrape_samples_post_metric_relabeling{job='serving'}")
    attempts = prometheus.value("count(:tensorflow:cc:saved_model:load_attempt_count)")
    assert attempts == 3
    assert kept - 7 * attempts < 350
