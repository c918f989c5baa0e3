"""The profile `monitoring`: Prometheus and the probe, and an alert that fires and resolves.

Grafana is not started: no local image can take the place of the public one.
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request

import pytest
from containers import hardening
from containers.run import step, until

PROMETHEUS = "http://127.0.0.1:9090/api/v1"
ALERT = "ServingDown"


@pytest.fixture(scope="module")
def project(filled_project):
    filled_project.up("serving", "prometheus", "probe", profile="monitoring")
    return filled_project


def query_api(path, **parameters):
    """Calls the HTTP API of Prometheus; returns the data of its reply."""
    url = f"{PROMETHEUS}/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=10) as reply:
        return json.load(reply)["data"]


def values(query):
    """Returns the values of an instant query."""
    return [float(each["value"][1]) for each in query_api("query", query=query)["result"]]


def up():
    """Returns the jobs with a target, and whether all of their targets are up."""
    targets = query_api("targets", state="active")["activeTargets"]
    return {each["labels"]["job"]: each["health"] == "up" for each in targets}


def firing():
    alerts = query_api("alerts")["alerts"]
    return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}


@pytest.mark.parametrize("service", ["prometheus", "probe"])
def test_containers_are_hardened(project, service):
    hardening.check(project, service)


def test_all_targets_are_up(project):  # noqa: ARG001
    expected = {"serving": True, "probe": True, "prometheus": True}
    until(lambda: up() == expected, what="targets of three jobs are up")


def test_probe_counts_no_wrong_answers(project):  # noqa: ARG001
    any_answers = "sum(seq2sum_probe_golden_answers_total) > 0"
    until(lambda: values(any_answers), what="golden answers in Prometheus")
    assert sum(values("sum(seq2sum_probe_golden_wrong_answers_total)")) == 0


def test_an_alert_fires_and_resolves(project):
    with step(f"{ALERT} fires"):
        project.compose("stop", "serving")
        until(lambda: ALERT in firing(), what=f"{ALERT} fires")
    with step(f"{ALERT} resolves"):
        project.up("serving")
        until(lambda: ALERT not in firing(), what=f"{ALERT} resolves")
