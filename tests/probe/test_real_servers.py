"""The probe with real servers: its metrics before, during and after a problem."""

from __future__ import annotations

import contextlib
import io
import shutil
import signal
import time
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families
from seq2sum import golden
from seq2sum_serving.probe import cli
from seq2sum_serving.probe.metrics import PREFIX
from support import commands
from support.deployed import CommandResult, Deployed, until

LABELS = ("stable", "canary")


class ProbeProcess:
    """`seq2sum-probe` as a process, and the metrics that it exports."""

    def __init__(self, folder, *options):
        line = ("seq2sum-probe", "--port", "0", "--interval", "0.1", *options)
        self.running = commands.start(*line, folder=folder)
        self.url = until(self._url)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running.process.kill()
        self.running.process.wait()

    @property
    def log(self):
        return self.running.errors.read_text()

    def _url(self):
        assert self.running.poll() is None, self.log
        url, comma, _ = self.log.partition("metrics at ")[2].partition(",")
        return url if comma else None

    def scrape(self):
        """Returns the values by name and label values, such as `("replica_up", "localhost:8500")`.

        Names are without the prefix; label values are in the order of the labels' names. The label
        `model` of the probe's metrics is left out.
        """
        with urllib.request.urlopen(self.url, timeout=10) as reply:
            families = text_string_to_metric_families(reply.read().decode())
            samples = [sample for family in families for sample in family.samples]
        for sample in samples:
            if sample.name.startswith(PREFIX):
                assert sample.labels.pop("model") == "seq2sum"
        return {
            (sample.name.removeprefix(PREFIX), *dict(sorted(sample.labels.items())).values()): (
                sample.value
            )
            for sample in samples
        }

    def until(self, holds):
        """Scrapes until a condition holds; returns the metrics for which it did."""

        def matching():
            metrics = self.scrape()
            return metrics if holds(metrics) else None

        return until(matching)

    def next_round(self):
        """Waits for a round that starts after this call; returns its metrics."""
        metrics = self.scrape()
        for _ in range(2):
            last = metrics["last_round_timestamp_seconds",]
            metrics = self.until(lambda now, last=last: now["last_round_timestamp_seconds",] > last)
        return metrics


def once(*options):
    """A single round, in this process."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = cli.main(["--once", *map(str, options)])
    return CommandResult(code, out.getvalue(), errors.getvalue())


@pytest.fixture(scope="module")
def deployed(quick_version, tmp_path_factory):
    """Two servers that do not poll the config file; version 1 is stable. Tests restore this."""
    with Deployed(tmp_path_factory.mktemp("probed"), quick_version) as deployed:
        for _ in range(2):
            deployed.start(wait=False)
        for server in deployed.servers:
            server.wait_until_open()
        assert deployed.rollout("promote", "1", "--without-gates").code == 0
        yield deployed
        for server in deployed.servers:
            server.process.kill()  # no clients are left, so no graceful stop is needed


@pytest.fixture(autouse=True)
def restored(deployed, undo):
    """Restores the files after a test that failed."""
    undo(deployed)


@pytest.fixture(scope="module")
def options(deployed):
    return ("--config", deployed.config, "--targets", deployed.targets)


@pytest.fixture(scope="module")
def probe(options, tmp_path_factory):
    """A probe that runs while tests change the servers and their files."""
    with ProbeProcess(tmp_path_factory.mktemp("probe"), *options) as probe:
        probe.until(lambda metrics: ("config_drift",) in metrics)
        yield probe


@pytest.fixture(scope="module")
def replicas(deployed):
    return [server.target for server in deployed.servers]


def test_metrics_of_a_healthy_deployment(probe, options, replicas):
    metrics = probe.next_round()
    for replica in replicas:
        assert metrics["replica_up", replica] == 1
        assert metrics["version_state", replica, "AVAILABLE", "1"] == 1
        for label in LABELS:
            assert metrics["label_version", label, replica] == 1
            assert metrics["label_desired_version", label] == 1
            assert metrics["golden_answers_total", label, replica] >= 3
            assert metrics["golden_wrong_answers_total", label, replica] == 0
            assert metrics["calls_total", "OK", label, replica] >= 3
            assert metrics["call_duration_seconds_count", label, replica] >= 3
            assert metrics["call_duration_seconds_sum", label, replica] > 0
    assert metrics["config_drift",] == 0
    assert metrics["traffic_weight_ratio", "stable"] == 1
    assert metrics["rollout_events_total", "promoted"] >= 1
    assert metrics["last_round_timestamp_seconds",] == pytest.approx(time.time(), abs=60)
    inputs = {key[1]: value for key, value in metrics.items() if key[0] == "input_readable"}
    names = ("model_config", "versions", "golden_requests", "targets", "traffic", "history")
    assert inputs == dict.fromkeys(names, 1)
    assert not any(key[0] == "certificate_not_after_timestamp_seconds" for key in metrics)

    result = once(*options)
    assert (result.code, result.errors) == (0, "")
    rows = [line.split() for line in result.out.splitlines() if "of 3" in line]
    assert [row[:7] for row in rows] == [
        [replica, label, "1", "1", "3", "of", "3"] for replica in replicas for label in LABELS
    ]


def test_once_can_send_all_golden_requests(options, deployed, replicas):
    result = once(*options, "--json", "--requests", "5000", "--labels", "stable")
    assert (result.code, result.errors) == (0, "")
    assert (result.json["problems"], result.json["notes"]) == ([], [])
    found = result.json["models"]["seq2sum"]
    assert (found["drift"], [each["target"] for each in found["replicas"]]) == ([], replicas)
    requests = golden.read(deployed.base / "1" / "assets.extra" / golden.FILE_NAME)
    assert len(requests) >= 100  # all sums of one digit
    for replica in found["replicas"]:
        assert replica["golden"]["stable"]["answers"] == len(requests)
        assert replica["golden"]["stable"]["wrong_answers"] == 0


def test_wrong_answers_of_a_version_and_its_rollback_are_exported(
    probe, options, deployed, replicas, shuffled_version
):
    before = probe.next_round()
    deployed.copy_version(shuffled_version, 2)
    assert deployed.rollout("promote", "2", "--without-gates").code == 0
    metrics = probe.until(
        lambda metrics: all(
            metrics["golden_wrong_answers_total", "stable", replica] >= 6 for replica in replicas
        )
    )
    assert metrics["label_desired_version", "stable"] == 2
    assert metrics["label_version", "stable", replicas[0]] == 2
    assert metrics["label_version", "previous", replicas[0]] == 1
    assert ("calls_total", "INVALID_ARGUMENT", "stable", replicas[0]) not in metrics

    result = once(*options)
    assert result.code == 1
    lines = result.errors.splitlines()
    assert len(lines) == 4  # two replicas, two labels
    assert all("of 3 golden answers of label " in line for line in lines)

    assert deployed.rollout("rollback").code == 0
    assert deployed.rollout("retire", "2").code == 0
    shutil.rmtree(deployed.base / "2")
    metrics = probe.next_round()
    assert once(*options).code == 0
    for kind in ("promoted", "rolled back", "retired"):
        key = ("rollout_events_total", kind)
        assert metrics[key] == before[key] + 1
        timestamp = metrics["rollout_last_event_timestamp_seconds", kind]
        assert timestamp == pytest.approx(time.time(), abs=60)
    wrong = ("golden_wrong_answers_total", "stable", replicas[0])
    assert probe.next_round()[wrong] == metrics[wrong]


def test_a_label_that_replicas_do_not_move_is_drift(probe, options, deployed, replicas):
    text = deployed.config.read_text()
    deployed.edit(text.replace("value: 1", "value: 7", 1))
    metrics = probe.until(lambda metrics: metrics["config_drift",] > 0)
    assert 7 in {metrics["label_desired_version", label] for label in LABELS}
    assert {metrics["label_version", label, replicas[0]] for label in LABELS} == {1}
    result = once(*options)
    assert result.code == 1
    assert "should be version 7, and is version 1 on every replica" in result.errors
    deployed.edit(text)
    assert probe.until(lambda metrics: metrics["config_drift",] == 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot find the model config file"),
        ("model_config_list {", "not a valid ModelServerConfig"),
    ],
    ids=["missing", "broken"],
)
def test_an_unreadable_model_config_file_is_logged_and_read_again(
    probe, options, deployed, replicas, text, message
):
    answers, wrong = (
        (name, "stable", replicas[0])
        for name in ("golden_answers_total", "golden_wrong_answers_total")
    )
    calls = ("calls_total", "OK", "stable", replicas[0])
    before = deployed.config.read_text()
    called = probe.next_round()[calls]
    if text is None:
        deployed.config.unlink()
    else:
        deployed.edit(text)
    metrics = probe.until(lambda metrics: metrics["input_readable", "model_config"] == 0)
    assert ("config_drift",) not in metrics
    assert ("label_desired_version", "stable") not in metrics
    assert metrics["replica_up", replicas[0]] == 1
    assert metrics["label_version", "stable", replicas[0]] == 1
    metrics = probe.next_round()  # without golden requests the probe calls GetModelMetadata
    now = probe.next_round()
    assert metrics[calls] > called
    assert (now[answers], now[wrong]) == (metrics[answers], metrics[wrong])
    result = once(*options)
    assert result.code == 1
    assert message in result.errors
    assert len(result.errors.splitlines()) == 1
    deployed.edit(before)
    probe.until(lambda metrics: metrics["input_readable", "model_config"] == 1)
    lines = [line for line in probe.log.splitlines() if message in line]
    assert {"resolved: " in line for line in lines} == {False, True}


def test_probe_exits_with_0_on_sigterm_and_sigint(options, deployed, tmp_path):
    """Even while it waits for a replica that does not reply."""
    hanging = deployed.servers[0]
    hanging.process.send_signal(signal.SIGSTOP)
    try:
        with (
            ProbeProcess(tmp_path, *options, "--timeout", "60") as first,
            ProbeProcess(tmp_path, *options, "--timeout", "60") as second,
        ):
            first.running.send_signal(signal.SIGTERM)
            second.running.send_signal(signal.SIGINT)
            for probe in (first, second):
                assert probe.running.process.wait(30) == 0
                assert probe.log.count("\n") == 1  # the URL of the metrics, and nothing else
    finally:
        hanging.process.send_signal(signal.SIGCONT)


def test_a_killed_replica_does_not_affect_the_metrics_of_the_other(
    probe, options, deployed, replicas
):
    """Must be the last test: the server is not started again."""
    killed = deployed.servers[1]
    killed.process.kill()
    metrics = probe.until(lambda metrics: metrics["replica_up", killed.target] == 0)
    assert ("label_version", "stable", killed.target) not in metrics
    unavailable = ("calls_total", "UNAVAILABLE", "stable", killed.target)
    metrics = probe.until(lambda metrics: metrics.get(unavailable, 0) >= 2)
    assert metrics["replica_up", replicas[0]] == 1
    assert metrics["config_drift",] == 1
    result = once(*options)
    assert result.code == 1
    [line] = result.errors.splitlines()
    assert line.startswith(f"seq2sum-probe: {killed.target} is down: UNAVAILABLE")
