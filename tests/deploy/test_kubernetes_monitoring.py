"""The objects for the Prometheus operator agree with serving/monitoring."""

from __future__ import annotations

import prometheus_rule
import pytest
import yaml
from deploy.kubernetes_manifests import named, of_kind, overlay, pods

MONITORED = ("production", "kserve")
"""Overlays with the component `monitoring`."""
NAMES = {
    "source_labels": "sourceLabels",
    "target_label": "targetLabel",
}
"""Fields of Prometheus' configuration, in the spelling of the operator."""

COMPONENTS = ("serving", "candidate", "router", "probe")
"""Jobs of Prometheus, and components with a monitor."""


@pytest.fixture(scope="module")
def jobs():
    config = yaml.safe_load((prometheus_rule.RULES.parent / "prometheus.yml").read_text())
    return {job["job_name"]: config["global"] | job for job in config["scrape_configs"]}


def in_camel_case(relabelings):
    return [{NAMES.get(key, key): value for key, value in each.items()} for each in relabelings]


@pytest.mark.parametrize("component", COMPONENTS)
def test_monitors_agree_with_prometheus_yml(jobs, component):
    objects, job = overlay("production"), jobs[component]
    monitor = named(objects, "ServiceMonitor", f"seq2sum-{component}")["spec"]
    (endpoint,) = monitor["endpoints"]
    assert endpoint["path"] == job.get("metrics_path", "/metrics")
    assert endpoint["interval"] == job["scrape_interval"]
    assert endpoint["scrapeTimeout"] == job["scrape_timeout"]
    assert endpoint.get("relabelings", []) == in_camel_case(job.get("relabel_configs", []))
    assert endpoint.get("metricRelabelings", []) == in_camel_case(
        job.get("metric_relabel_configs", [])
    )
    assert monitor["sampleLimit"] == job["sample_limit"]
    assert monitor.get("bodySizeLimit") == job.get("body_size_limit")


@pytest.mark.parametrize("name", MONITORED)
@pytest.mark.parametrize("component", COMPONENTS)
def test_a_monitor_selects_a_service_with_its_port_and_job_label(name, component):
    objects = overlay(name)
    monitor = named(objects, "ServiceMonitor", f"seq2sum-{component}")["spec"]
    selector = monitor["selector"]["matchLabels"].items()
    (endpoint,) = monitor["endpoints"]
    # The router has two Services, one of them for calls only.
    ((service, ports),) = (
        (each, ports)
        for each in of_kind(objects, "Service")
        if selector <= each["metadata"]["labels"].items()
        and endpoint["port"]
        in (ports := {port["name"]: port["port"] for port in each["spec"]["ports"]})
    )
    assert ports[endpoint["port"]] in pods(objects, component).ports.values()
    assert service["metadata"]["labels"][monitor["jobLabel"]] == component


def test_rules_agree_with_the_rule_files():
    assert prometheus_rule.OUTPUT.read_text() == prometheus_rule.text(), (
        "the rules have changed: run make generate"
    )
    for name in MONITORED:
        (rule,) = of_kind(overlay(name), "PrometheusRule")
        assert rule["spec"]["groups"] == prometheus_rule.groups()
