"""Every query that there is, asked of a real Prometheus that has watched a day of the real thing.

The day is short: scrapes come every second instead of every five, and `$__rate_interval`, which
Grafana makes at least four scrapes long, is five seconds. Nothing else of the queries is
changed.
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
from deploy.monitoring_world import MODEL, World
from seq2sum_serving.gates.metric_providers.prometheus import Prometheus
from support.broken_models import truncated
from support.deployed import Traffic
from support.system import needs

pytestmark = [needs("prometheus"), pytest.mark.embedded]

EVERY = 1.0
WINDOW = "5s"
BORDER = 1.5 * EVERY
"""Seconds without calls on both sides of a border between times: whichever scrape is the last one
before it, it tells of the same calls."""
CALLS = ":tensorflow:serving:request_count"


@pytest.fixture(scope="module", autouse=True)
def no_proxy():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "127.0.0.1")
        yield


@pytest.fixture(scope="module")
def world(small_version, tmp_path_factory):
    with World(tmp_path_factory.mktemp("watched"), small_version, every=EVERY) as world:
        yield world


@dataclass(frozen=True)
class Sent:
    """Calls of a time."""

    good: int
    bad: int
    slowest: float
    """Seconds, as the caller sees it."""
    began: float
    seconds: int = 0
    """How long the time is that they were judged over."""


def sent(world, good, bad, *, before=0):
    """Makes calls, and waits until Prometheus has seen them all, and those before."""
    began, slowest = time.monotonic(), 0.0
    with seq2sum.Client(world.deployed.targets, retry=seq2sum.Retry(attempts=1)) as client:
        for number in range(good):
            asked = time.monotonic()
            client.add(f"{number % 10}+{number // 10}")
            slowest = max(slowest, time.monotonic() - asked)
        for _ in range(bad):
            with pytest.raises(seq2sum.VersionNotFound):
                client.add("1+1", version=77)
    world.prometheus.until(f"sum({CALLS}) == {before + good + bad}")
    return Sent(good, bad, slowest, began)


@pytest.fixture(scope="module")
def first(world):
    """The first calls of all, and what seq2sum-rollout hears of them."""
    calls = sent(world, good=60, bad=7)
    seconds = math.ceil(time.monotonic() - calls.began)
    return calls, Prometheus(world.prometheus.url).live(MODEL, seconds)


@pytest.fixture(scope="module")
def second(world, first):
    """More of them, of a time that is as long as the one before, in which the first ones were."""
    time.sleep(2 * BORDER)
    calls = sent(world, good=90, bad=30, before=first[0].good + first[0].bad)
    border = calls.began - BORDER
    seconds = math.ceil(border - first[0].began) + 1
    time.sleep(max(0.0, border + seconds - time.monotonic()))
    heard = Prometheus(world.prometheus.url).live(MODEL, seconds, ago=seconds)
    return replace(calls, seconds=seconds), heard


@pytest.fixture(scope="module")
def day(world, second, small_version):  # noqa: ARG001 what comes before is counted
    """Versions come and go, some fail, callers ask, and too many of them at once; when it was."""
    began = time.time()
    deployed, seen = world.deployed, world.prometheus.until
    assert deployed.roll("promote", "1").code == 0
    world.watch(0.2)
    with Traffic(deployed), seq2sum.Client(world.envoy.target) as client, asking(client):
        deployed.put(small_version, 2)
        truncated(small_version, deployed.base / "staged").rename(deployed.base / "3")
        assert deployed.roll("canary", "2", "--without-gates", "--percent", "30").code == 0
        asked(deployed.servers[0], "predict", {"instances": ["53+42"]})
        assert deployed.roll("promote", "2", "--without-gates").code == 0
        assert deployed.roll("rollback", "--why", "to see it").code == 0
        assert deployed.roll("canary", "3", "--without-gates").code == 1
        for _ in range(2):  # a rate shows the second time
            assert world.overload()["Unavailable"] > 0
            seen(f'rate({CALLS}{{status="UNAVAILABLE"}}[{WINDOW}]) >= 0')
        with pytest.raises(seq2sum.Seq2SumError):
            client.add("1+1", label="nobody")
        seen('seq2sum_probe_rollout_events_total{kind="rolled back"} > 0')
        seen("seq2sum:errors:ratio5m > 0")
        seen(f"rate(seq2sum_probe_call_duration_seconds_bucket[{WINDOW}]) > 0")
        through_envoy = 'envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="replica"}'
        seen(f"rate({through_envoy}[{WINDOW}]) > 0")  # it counts up every five seconds
    return began, time.time()


@contextmanager
def asking(client):
    """A caller who asks until the end."""
    over = threading.Event()

    def go_on():
        while not over.wait(0.05):
            client.add("2+3")

    with ThreadPoolExecutor(1) as pool:
        asks = pool.submit(go_on)
        try:
            yield
        finally:
            over.set()
        asks.result()


def asked(server, action, body):
    url = f"{server.url}/v1/models/{MODEL}:{action}"
    with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=10) as reply:
        return json.load(reply)


def test_the_first_calls_of_all_count_in_full(first):
    # There is no value before them to compare with.
    calls, heard = first
    assert heard.calls == calls.good + calls.bad
    assert heard.errors == calls.bad
    assert not heard.calls_before


def test_later_calls_are_told_from_those_before(first, second):
    (before, _), (now, heard) = first, second
    # Prometheus takes it that the ends of a time, before the first and after the last scrape in
    # it, were like the rest.
    most = now.seconds / (now.seconds - 2 * EVERY)
    assert 1 <= heard.calls / (now.good + now.bad) <= most
    assert 1 <= heard.errors / now.bad <= most
    assert heard.calls_before == before.good + before.bad
    assert heard.errors_before == before.bad
    assert 0 < heard.p99_milliseconds < 1800 * now.slowest  # limits of buckets are 1.8 apart


def test_the_memory_of_servers_can_be_asked_for(world, first):  # noqa: ARG001 it has been a while
    prometheus = Prometheus(world.prometheus.url)
    used = prometheus.value('max(process_resident_memory_bytes{job="prometheus"})')
    assert used > 1e6
    # The example in the policy; nobody scrapes containers here.
    example = 'max(container_memory_working_set_bytes{container="serving"})'
    assert example in (files.ROOT / "serving/src/seq2sum_serving/gates/policy.toml").read_text()
    assert prometheus.value(example) is None


DASHBOARD = files.dashboard()
QUERIES = dashboard_queries.of_dashboard(DASHBOARD)
EMPTY = {
    "Days until certificates expire A": "these servers have none",
}
"""Queries that give nothing here, and why that is right."""


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_query_of_the_dashboard_gives_what_its_panel_is_to_show(query, world, day):
    begin, end = day
    expression = query.filled(dashboard_queries.values(window=WINDOW))
    if query.instant:
        found = world.prometheus.now(expression)
        found = [series for series in found if not math.isnan(series.value)]
    else:
        found = world.prometheus.over(expression, begin, end, EVERY)
    assert bool(found) == (str(query) not in EMPTY)
    # Series of one panel can be told from each other.
    names = [query.named(series.labels) for series in found]
    if query.panel != "The last of each":  # a table has columns instead
        assert len(set(names)) == len(names)
        assert all(names) or query.legend == ""


def test_the_dashboard_shows_events_when_they_were(world, day):
    begin, end = day
    promoted, failed, alerting = dashboard_queries.annotations(DASHBOARD)
    expected = ((promoted, "promoted"), (failed, "rolled back"), (failed, "failed"))
    for query, event in expected:
        expression = query.filled(dashboard_queries.values(window=WINDOW))
        found = world.prometheus.over(expression, begin, end, EVERY)
        moments = {query.named(series.labels): series.value / 1000 for series in found}
        assert begin < moments[event] < end
    world.prometheus.now(alerting.expression)


def test_variables_of_the_dashboard_have_values(world, day):  # noqa: ARG001
    _, model, replica = DASHBOARD["templating"]["list"]
    assert values_of(world, model) == {MODEL}
    assert values_of(world, replica) == {world.deployed.servers[0].target}


def values_of(world, variable):
    selector, label = variable["query"]["query"].removesuffix(")").split("(")[1].rsplit(", ", 1)
    return {series.labels[label] for series in world.prometheus.now(selector)}


def test_every_rule_can_be_evaluated(world, day):  # noqa: ARG001
    rules = world.prometheus.rules()
    assert {rule["name"] for rule in rules} == {*files.alerts(), *files.recorded()}
    assert [rule for rule in rules if rule["health"] != "ok"] == []


@pytest.mark.parametrize("name", files.recorded())
def test_what_is_recorded_has_values(name, world, day):  # noqa: ARG001
    assert world.prometheus.now(name)


def test_what_went_wrong_that_day_raises_its_alerts(world, day):  # noqa: ARG001
    # Those that wait for minutes do so.
    raised = {series.labels["alertname"] for series in world.prometheus.now("ALERTS")}
    assert {"VersionRolledBack", "RolloutFailed", "VersionLoadFailed", "BatchQueueFull"} <= raised
    assert not raised & {
        "ServingDown",
        "TargetDown",
        "ReplicaDown",
        "ProbeSilent",
        "RuleEvaluationFailing",
    }
    assert not raised & {"WrongGoldenAnswers", "LabelsDiffer", "CertificateExpires"}


def test_names_that_callers_make_up_do_not_reach_prometheus(world, day):  # noqa: ARG001
    server = world.deployed.servers[0]
    scraped = "sum(scrape_samples_scraped{job='serving'})"
    before = world.prometheus.value(scraped)
    client = seq2sum.Client(server.target, model="made-up")
    with client, pytest.raises(seq2sum.Seq2SumError):
        client.add("1+1")
    with urllib.request.urlopen(f"{server.url}/monitoring/prometheus/metrics", timeout=10) as page:
        assert b'model_name="made-up"' in page.read()
    world.prometheus.until(f"{scraped} > {before}")
    assert not world.prometheus.now('{model_name="made-up"}')
    assert not world.prometheus.now('{__name__=~".+padding_size.+|.+_by_stage_bucket"}')


def test_a_page_is_as_small_as_the_configuration_says(world, day):  # noqa: ARG001
    kept = world.prometheus.value("scrape_samples_post_metric_relabeling{job='serving'}")
    attempts = world.prometheus.value("count(:tensorflow:cc:saved_model:load_attempt_count)")
    assert attempts == 3
    # What the comment in prometheus.yml says.
    assert kept - 7 * attempts < 350
