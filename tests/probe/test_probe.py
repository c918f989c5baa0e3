"""The prober beside real servers: what it exports while things go well, wrong, and well again."""

from __future__ import annotations

import contextlib
import io
import shutil
import signal
import time
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families
from seq2sum_serving.probe import cli
from support import commands
from support.deployed import Deployed, Told, until

PREFIX = "seq2sum_probe_"
LABELS = ("stable", "canary")


class Prober:
    """`seq2sum-probe` as a process, and the page that it exports."""

    def __init__(self, folder, *options):
        line = ("seq2sum-probe", "--port", "0", "--every", "0.1", *options)
        self.running = commands.start(*line, folder=folder)
        self.url = until(self._address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.running.process.kill()
        self.running.process.wait()

    @property
    def log(self):
        return self.running.errors.read_text()

    def _address(self):
        assert self.running.poll() is None, self.log
        found = self.log.partition("metrics at ")[2].partition(",")
        return found[0] if found[1] else None

    def page(self):
        """Every sample by its name, without the prefix, and the values of its labels in order.

        All but those of the process itself have the label `model`, which is left out.
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
        """Scrapes until something holds; gives back the page on which it did."""

        def seen():
            page = self.page()
            return page if holds(page) else None

        return until(seen)

    def next_round(self):
        """The page of a round that began after now."""
        first = self.page()["last_round_timestamp_seconds",]
        second = self.until(lambda page: page["last_round_timestamp_seconds",] > first)
        return self.until(
            lambda page: (
                page["last_round_timestamp_seconds",] > second["last_round_timestamp_seconds",]
            )
        )


def once(*options):
    """A single round, in this process."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = cli.main(["--once", *map(str, options)])
    return Told(code, out.getvalue(), errors.getvalue())


@pytest.fixture(scope="module")
def deployed(quick_version, tmp_path_factory):
    """Version 1 is stable on two servers, which follow reloads alone. Tests leave it so."""
    with Deployed(tmp_path_factory.mktemp("probed"), quick_version) as deployed:
        for _ in range(2):
            deployed.start(wait=False)
        for server in deployed.servers:
            server.wait_until_open()
        assert deployed.roll("promote", "1", "--without-gates").code == 0
        yield deployed
        for server in deployed.servers:
            server.process.kill()  # nobody is left who asks them


@pytest.fixture(autouse=True)
def restored(deployed, undo):
    """A test that fails leaves the files to the next one as it found them."""
    undo(deployed)


@pytest.fixture(scope="module")
def options(deployed):
    return ("--config", deployed.config, "--targets", deployed.targets)


@pytest.fixture(scope="module")
def prober(options, tmp_path_factory):
    """Looks all the time while tests do things to the servers and their files."""
    with Prober(tmp_path_factory.mktemp("prober"), *options) as prober:
        prober.until(lambda page: ("config_drift",) in page)
        yield prober


@pytest.fixture(scope="module")
def replicas(deployed):
    return [server.target for server in deployed.servers]


def test_a_deployment_that_is_well_is_told_so(prober, options, replicas):
    page = prober.next_round()
    for replica in replicas:
        assert page["replica_up", replica] == 1
        assert page["version_state", replica, "AVAILABLE", "1"] == 1
        for label in LABELS:
            assert (
                page["label_version", label, replica] == page["label_desired_version", label] == 1
            )
            assert page["golden_answers_total", label, replica] >= 3
            assert page["golden_wrong_answers_total", label, replica] == 0
            assert page["calls_total", "OK", label, replica] >= 3
            assert page["call_duration_seconds_count", label, replica] >= 3
            assert page["call_duration_seconds_sum", label, replica] > 0
    assert page["config_drift",] == 0
    assert page["traffic_weight_ratio", "stable"] == 1
    assert page["rollout_events_total", "promoted"] >= 1
    assert page["last_round_timestamp_seconds",] == pytest.approx(time.time(), abs=60)
    sources = {key[1]: value for key, value in page.items() if key[0] == "input_readable"}
    names = ("record", "versions", "golden", "targets", "traffic", "history")
    assert sources == dict.fromkeys(names, 1)
    assert not any(key[0] == "certificate_not_after_timestamp_seconds" for key in page)

    told = once(*options)
    assert (told.code, told.errors) == (0, "")
    rows = [line.split() for line in told.out.splitlines() if "of 3" in line]
    assert [row[:7] for row in rows] == [
        [replica, label, "1", "1", "3", "of", "3"] for replica in replicas for label in LABELS
    ]


def test_all_golden_questions_may_be_asked_at_once(options, replicas):
    told = once(*options, "--json", "--questions", "5000", "--labels", "stable")
    assert (told.code, told.errors) == (0, "")
    assert (told.json["problems"], told.json["notes"], told.json["drift"]) == ([], [], [])
    assert [one["target"] for one in told.json["replicas"]] == replicas
    for one in told.json["replicas"]:
        assert one["golden"]["stable"]["asked"] == 100  # of one digit there are no more
        assert one["golden"]["stable"]["wrong"] == 0


def test_a_wrong_version_is_seen_by_its_answers_and_its_rollback_too(
    prober, options, deployed, replicas, shuffled_version
):
    before = prober.next_round()
    deployed.put(shuffled_version, 2)
    assert deployed.roll("promote", "2", "--without-gates").code == 0
    page = prober.until(
        lambda page: all(page["golden_wrong_answers_total", "stable", one] >= 6 for one in replicas)
    )
    assert page["label_desired_version", "stable"] == page["label_version", "stable", replicas[0]]
    assert page["label_version", "stable", replicas[0]] == 2
    assert page["label_version", "previous", replicas[0]] == 1
    assert ("calls_total", "INVALID_ARGUMENT", "stable", replicas[0]) not in page

    told = once(*options)
    assert told.code == 1
    lines = told.errors.splitlines()
    assert len(lines) == 4  # two replicas, two labels
    assert all("of 3 golden questions by label " in line for line in lines)

    assert deployed.roll("rollback").code == 0
    assert deployed.roll("retire", "2").code == 0
    shutil.rmtree(deployed.base / "2")
    page = prober.next_round()
    assert once(*options).code == 0
    for what in ("promoted", "rolled back", "retired"):
        key = ("rollout_events_total", what)
        assert page[key] == before[key] + 1
        moment = page["rollout_last_event_timestamp_seconds", what]
        assert moment == pytest.approx(time.time(), abs=60)
    calm = page["golden_wrong_answers_total", "stable", replicas[0]]
    assert prober.next_round()["golden_wrong_answers_total", "stable", replicas[0]] == calm


def test_a_label_that_replicas_do_not_follow_is_drift(prober, options, deployed, replicas):
    text = deployed.config.read_text()
    deployed.edit(text.replace("value: 1", "value: 7", 1))
    page = prober.until(lambda page: page["config_drift",] > 0)
    assert 7 in {page["label_desired_version", label] for label in LABELS}
    assert {page["label_version", label, replicas[0]] for label in LABELS} == {1}
    told = once(*options)
    assert told.code == 1
    assert "should be version 7, and is version 1 on every replica" in told.errors
    deployed.edit(text)
    assert prober.until(lambda page: page["config_drift",] == 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no model config file"),
        ("model_config_list {", "it is no ModelServerConfig"),
    ],
    ids=["missing", "broken"],
)
def test_a_record_that_cannot_be_read_is_told_and_read_again(
    prober, options, deployed, replicas, text, said
):
    before = deployed.config.read_text()
    asked = prober.next_round()["golden_answers_total", "stable", replicas[0]]
    if text is None:
        deployed.config.unlink()
    else:
        deployed.edit(text)
    page = prober.until(lambda page: page["input_readable", "record"] == 0)
    assert ("config_drift",) not in page
    assert ("label_desired_version", "stable") not in page
    assert page["replica_up", replicas[0]] == 1
    assert page["label_version", "stable", replicas[0]] == 1
    page = prober.next_round()  # it asks what any version can answer
    assert page["golden_answers_total", "stable", replicas[0]] > asked
    assert (
        page["golden_wrong_answers_total", "stable", replicas[0]]
        == (prober.next_round()["golden_wrong_answers_total", "stable", replicas[0]])
    )
    told = once(*options)
    assert told.code == 1
    assert said in told.errors
    assert len(told.errors.splitlines()) == 1
    deployed.edit(before)
    prober.until(lambda page: page["input_readable", "record"] == 1)
    assert [line for line in prober.log.splitlines() if said in line and "over: " not in line]
    assert [line for line in prober.log.splitlines() if said in line and "over: " in line]


def test_signals_end_it_at_once_and_with_0(options, deployed, tmp_path):
    """Even while it waits for a replica that does not answer."""
    hanging = deployed.servers[0]
    hanging.process.send_signal(signal.SIGSTOP)
    try:
        with (
            Prober(tmp_path, *options, "--timeout", "60") as one,
            Prober(tmp_path, *options, "--timeout", "60") as other,
        ):
            for prober, number in ((one, signal.SIGTERM), (other, signal.SIGINT)):
                prober.running.send_signal(number)
            for prober in (one, other):
                assert prober.running.process.wait(30) == 0
                assert prober.log.count("\n") == 1  # where the metrics are, and nothing else
    finally:
        hanging.process.send_signal(signal.SIGCONT)


def test_a_replica_that_is_killed_is_seen_and_the_others_are_looked_at_as_before(
    prober, options, deployed, replicas
):
    """It comes last: nobody starts that server again."""
    gone = deployed.servers[1]
    gone.process.kill()
    page = prober.until(lambda page: page["replica_up", gone.target] == 0)
    assert ("label_version", "stable", gone.target) not in page
    page = prober.until(
        lambda page: page.get(("calls_total", "UNAVAILABLE", "stable", gone.target), 0) >= 2
    )
    assert page["replica_up", replicas[0]] == 1
    assert page["config_drift",] == 1
    told = once(*options)
    assert told.code == 1
    [line] = told.errors.splitlines()
    assert line.startswith(f"seq2sum-probe: {gone.target} does not answer: UNAVAILABLE")
