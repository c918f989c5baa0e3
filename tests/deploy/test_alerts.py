"""Rules and alerts of Prometheus: sound, tried out by promtool, and told to whoever is woken."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest
from deploy import monitoring_files as files
from support.system import needs

ALERTS = files.alerts()
SEVERITIES = {"critical", "warning", "info"}
BOOK = "docs/operations.md"
POLICY = files.ROOT / "serving/src/seq2sum_serving/gates/policy.toml"


def promtool(*arguments):
    return subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@needs("promtool")
def test_prometheus_takes_the_configuration_and_every_rule():
    # With the files that it names.
    done = promtool("check", "config", files.CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(files.RULES)} rule files found" in done.stdout


@needs("promtool")
def test_alerts_fire_and_rest_as_the_cases_say():
    done = promtool("test", "rules", *files.CASES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SUCCESS") == len(files.CASES)


def cases():
    """Each look at an alert: its name, and how many are expected to fire."""
    return [
        (look["alertname"], len(look["exp_alerts"]))
        for path in files.CASES
        for test in files.read(path)["tests"]
        for look in test.get("alert_rule_test", [])
    ]


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_rests():
    fires = {name for name, count in cases() if count}
    rests = {name for name, count in cases() if not count}
    assert fires == rests == set(ALERTS)


def test_cases_evaluate_what_is_recorded_before_what_reads_it():
    # promtool takes groups that it is not told of in an order of chance.
    names = [group["name"] for group in files.groups()]
    assert len(set(names)) == len(names)
    recording = [group["name"] for group in files.groups() if "record" in group["rules"][0]]
    for path in files.CASES:
        order = files.read(path)["group_eval_order"]
        assert sorted(order) == sorted(names)
        assert order[: len(recording)] == recording


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_what_where_and_what_to_do(name):
    rule = ALERTS[name]
    assert set(rule["labels"]) == {"severity"}
    assert rule["labels"]["severity"] in SEVERITIES
    told = rule["annotations"]
    assert set(told) == {"summary", "description", "runbook_url"}
    assert told["runbook_url"] == f"{BOOK}#{name.lower()}"
    # One alert for each replica names it.
    if re.search(r"by \(replica|replica_up == 0|certificate", rule["expr"]):
        assert "$labels.replica" in told["summary"]


def test_limits_that_stand_in_two_places_are_the_same():
    policy = tomllib.loads(POLICY.read_text())
    [most] = re.findall(r"latency_seconds:p99_5m > (\S+)", ALERTS["HighLatency"]["expr"])
    assert float(most) * 1000 == policy["latency"]["p99_milliseconds"]
    limit = files.job("serving")["sample_limit"]
    near = ALERTS["SeriesNearLimit"]
    assert f"> {0.8 * limit:.0f}" in near["expr"]
    assert f"more than {limit:,}" in near["annotations"]["description"]


def test_rates_of_the_error_budget_are_what_their_texts_say():
    # Times allowed, over hours, are a share of the month; and the month is over in so many days.
    for name, times, hours, share, days in (
        ("ErrorBudgetBurnFast", 14.4, 1, 0.02, 2),
        ("ErrorBudgetBurn", 6, 6, 0.05, 5),
        ("ErrorBudgetBurnSlow", 1, 72, 0.1, 30),
    ):
        assert times * hours / (30 * 24) == pytest.approx(share)
        assert 30 / times == pytest.approx(days, rel=0.05)
        factor = "" if times == 1 else f"{times} * "
        limit = f"> {factor}(1 - scalar(seq2sum:slo:ratio))"
        assert ALERTS[name]["expr"].count(limit) == 2
