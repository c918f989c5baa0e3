"""Rules and alerts of Prometheus: valid, unit-tested by promtool, and with complete annotations."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib

import pytest
from deploy import monitoring_files as files
from support.system import needs

ALERTS = files.rules("alert")
POLICY = files.ROOT / "serving/src/seq2sum_serving/gates/policy.toml"


def promtool(*arguments):
    return subprocess.run(
        ["promtool", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        # A third faster with less garbage collection.
        env=os.environ | {"GOGC": "off", "GOMEMLIMIT": "500MiB"},
    )


@needs("promtool")
def test_promtool_accepts_the_configuration_and_its_rules():
    done = promtool("check", "config", files.CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(files.RULES)} rule files found" in done.stdout


@needs("promtool")
def test_unit_tests_of_the_rules_pass():
    done = promtool("test", "rules", *files.TESTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SUCCESS") == len(files.TESTS)


def test_each_alert_has_a_unit_test_in_which_it_fires_and_one_in_which_it_does_not():
    checks = [
        check
        for path in files.TESTS
        for test in files.read(path)["tests"]
        for check in test.get("alert_rule_test", [])
    ]
    firing = {check["alertname"] for check in checks if check["exp_alerts"]}
    silent = {check["alertname"] for check in checks if not check["exp_alerts"]}
    assert firing == silent == set(ALERTS)


def test_unit_tests_evaluate_recording_rules_before_alerts():
    # By default promtool evaluates groups in a random order.
    names = [group["name"] for group in files.groups()]
    assert len(set(names)) == len(names)
    recording = [group["name"] for group in files.groups() if "record" in group["rules"][0]]
    for path in files.TESTS:
        order = files.read(path)["group_eval_order"]
        assert sorted(order) == sorted(names)
        assert order[: len(recording)] == recording


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_severity_summary_description_and_runbook(name):
    rule = ALERTS[name]
    assert set(rule["labels"]) == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert annotations["runbook_url"] == f"docs/alerts.md#{name.lower()}"
    if re.search(r"by \(replica|replica_up == 0|certificate", rule["expr"]):  # one per replica
        assert "$labels.replica" in annotations["summary"]


def test_limits_agree_with_those_of_gates_and_scrapes():
    policy = tomllib.loads(POLICY.read_text())
    [limit] = re.findall(r"latency_seconds:p99_5m > (\S+)", ALERTS["HighLatency"]["expr"])
    assert float(limit) * 1000 == policy["latency"]["max_p99_milliseconds"]
    limit = files.job("serving")["sample_limit"]
    alert = ALERTS["SeriesNearLimit"]
    assert f"> {0.8 * limit:.0f}" in alert["expr"]
    assert f"more than {limit:,}" in alert["annotations"]["description"]


@pytest.mark.parametrize(
    ("name", "burn_rate", "hours", "budget", "days"),
    [
        ("ErrorBudgetBurnFast", 14.4, 1, 0.02, 2),
        ("ErrorBudgetBurn", 6, 6, 0.05, 5),
        ("ErrorBudgetBurnSlow", 1, 72, 0.1, 30),
    ],
)
def test_burn_rates_use_the_documented_share_of_the_error_budget(
    name, burn_rate, hours, budget, days
):
    assert burn_rate * hours / (30 * 24) == pytest.approx(budget)
    assert 30 / burn_rate == pytest.approx(days, rel=0.05)
    factor = "" if burn_rate == 1 else f"{burn_rate} * "
    assert ALERTS[name]["expr"].count(f"> {factor}(1 - scalar(seq2sum:slo:ratio))") == 2
