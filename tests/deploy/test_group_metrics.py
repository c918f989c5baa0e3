"""Metrics of the stable and the candidate group, scraped and evaluated by a real Prometheus."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from deploy.prometheus_process import PrometheusProcess, Target
from deploy.scripted_metrics import ScriptedServer
from seq2sum_serving.deployment.model_store import ModelStore
from seq2sum_serving.gates import policy
from seq2sum_serving.gates.group_metrics import GroupMetrics
from seq2sum_serving.gates.live import ProbeResults
from seq2sum_serving.gates.metric_providers import queries, server_groups
from seq2sum_serving.gates.metric_providers.prometheus import Prometheus
from seq2sum_serving.rollout import group_analysis
from support import servers
from support.system import needs

pytestmark = needs("prometheus")

INTERVAL = 0.5
HISTORY_MILLISECONDS = 2000
MODEL = "seq2sum"
BASE = "/models/seq2sum"
STABLE, CANDIDATE = 'job="serving"', 'job="candidate"'


@pytest.fixture(scope="module", autouse=True)
def no_proxy():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "127.0.0.1")
        yield


@dataclass(frozen=True)
class Period:
    """The calls since a time."""

    prometheus: Prometheus
    start: float

    @property
    def seconds(self) -> int:
        """Seconds up to now, with one second before the first call."""
        return math.ceil(time.monotonic() - self.start) + 1

    def read(self, selector, version):
        path = f"{BASE}/{version}"
        return server_groups.read(
            self.prometheus, MODEL, self.seconds, selector=selector, path=path
        )


@pytest.fixture(scope="module")
def period(tmp_path_factory):
    """Prometheus, and the seconds in which both groups had calls: the candidate is bad."""
    with ExitStack() as stack:
        stable, candidate, restarted = (stack.enter_context(ScriptedServer()) for _ in range(3))
        down = f"127.0.0.1:{servers.free_port()}"
        targets = {
            "serving": [Target(stable.address), Target(down)],
            "candidate": [Target(candidate.address)],
            "restarted": [Target(restarted.address)],
        }
        stable.load(f"{BASE}/1", 2.0)
        candidate.load(f"{BASE}/1", 30.0)
        candidate.load(f"{BASE}/02", 5.0, status="fail")
        candidate.load(f"{BASE}/02", 7.0)
        # Before the period; the candidate group has had no call.
        stable.answer(5000, 900.0, model=MODEL)
        stable.fail(300, "INTERNAL", model=MODEL)
        stable.queue(5000, 900.0)
        restarted.answer(500, 900.0, model=MODEL)
        restarted.fail(20, "INTERNAL", model=MODEL)
        prometheus = stack.enter_context(
            PrometheusProcess(tmp_path_factory.mktemp("groups"), targets, interval=INTERVAL)
        )
        prometheus.until(f"sum(up offset {HISTORY_MILLISECONDS}ms) >= 4")
        start = time.monotonic()
        make_calls(stable, answered=400, ms=10.0, wait=2.0)
        stable.fail(4, "INTERNAL", model=MODEL)
        stable.fail(2, "NOT_FOUND", model=MODEL)
        make_calls(candidate, answered=100, ms=200.0, wait=60.0)
        candidate.fail(7, "INTERNAL", model=MODEL)
        restarted.restart()
        restarted.answer(60, 10.0, model=MODEL)
        prometheus.until(f"sum({queries.CALLS}) == {5300 + 2000 + 406 + 107 + 6 + 60}")
        time.sleep(INTERVAL)
        yield Period(Prometheus(prometheus.url), start)


def make_calls(server, *, answered, ms, wait):
    """Counts good calls, and others that no gate may count: for states, and cancelled ones."""
    server.answer(answered // 2, ms, model=MODEL)
    server.answer(answered // 2, ms, model=MODEL, api="predict")
    server.answer(1000, 0.01, model=MODEL, api="")
    server.fail(3, "CANCELLED", model=MODEL)
    server.queue(answered, wait)


def test_a_candidate_group_has_the_calls_of_the_period(period):
    found = period.read(CANDIDATE, "02")
    assert (found.servers, found.unscraped) == (1, 0)
    # Their counters have no earlier value to compare with.
    assert found.answered == found.queued == 100
    assert found.errors == {"INTERNAL": 7}
    # Bounds of buckets are 1.8 apart, and 1.2 in the queue.
    assert 200 / 1.8 < found.p50_milliseconds < found.p99_milliseconds < 200 * 1.8
    assert 60 / 1.2 < found.queue_p99_milliseconds < 60 * 1.2
    assert found.load_seconds == 6.0


def test_a_stable_group_has_no_calls_from_before(period):
    found = period.read(STABLE, "1")
    assert (found.servers, found.unscraped) == (2, 1)
    assert found.answered == found.queued == 400
    assert found.errors == {"INTERNAL": 4, "NOT_FOUND": 2}
    assert 10 / 1.8 < found.p50_milliseconds < found.p99_milliseconds < 10 * 1.8
    assert 2 / 1.2 < found.queue_p99_milliseconds < 2 * 1.2
    assert found.load_seconds == 2.0


def test_a_restarted_server_has_the_calls_since_then(period):
    found = period.read('job="restarted"', "1")
    # Prometheus extrapolates from the first and last scrape to the ends of the period.
    assert 60 <= found.answered < 120
    assert found.failed == 0


def test_an_unknown_group_and_an_unknown_version(period):
    found = period.read('job="x"', "1")
    assert found == GroupMetrics()
    found = period.read(CANDIDATE, "2")
    assert found.load_seconds is None


def test_gates_of_a_step_fail_a_slow_candidate_with_errors(period, tmp_path):
    for name in ("1", "02"):
        (tmp_path / name).mkdir()
    executor = SimpleNamespace(
        model=MODEL,
        store=ModelStore(tmp_path),
        config=SimpleNamespace(base_path=lambda: f"{BASE}/"),
    )
    measurements = group_analysis.judge_metrics(
        period.prometheus,
        executor,
        policy.default(),
        ProbeResults(),
        period.seconds,
        version=2,
        stable=1,
    )
    assert [(each.gate, str(each.verdict)) for each in measurements] == [
        ("errors (metrics)", "Failed"),
        ("latency (metrics)", "Failed"),
        ("batch queue", "Failed"),
        ("load time", "Successful"),
    ]
    assert "7 of 107 calls to the candidate group failed (7 INTERNAL)" in measurements[0].message
    assert measurements[3].message == "A load of the version takes 6 s (stable 2 s)"
