"""What the Prometheus operator is given is what serving/monitoring says."""

from __future__ import annotations

import prometheus_rule
import pytest
import yaml
from deploy.kubernetes_manifests import named, of_kind, overlay, pods

WATCHED = ("production", "kserve")
"""Overlays with the component `monitoring`."""
NAMES = {
    "source_labels": "sourceLabels",
    "target_label": "targetLabel",
}
"""Fields of Prometheus' configuration, as the operator spells them."""


@pytest.fixture(scope="module")
def jobs():
    text = (prometheus_rule.RULES.parent / "prometheus.yml").read_text()
    return {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}


def spelled(relabelings):
    return [{NAMES.get(key, key): value for key, value in each.items()} for each in relabelings]


@pytest.mark.parametrize("component", ["serving", "probe"])
def test_a_cluster_is_scraped_as_one_machine_is(jobs, component):
    objects, job = overlay("production"), jobs[component]
    monitor = named(objects, "ServiceMonitor", f"seq2sum-{component}")["spec"]
    (endpoint,) = monitor["endpoints"]
    assert endpoint["path"] == job.get("metrics_path", "/metrics")
    assert endpoint["interval"] == job["scrape_interval"]
    assert endpoint["scrapeTimeout"] == job["scrape_timeout"]
    assert endpoint.get("relabelings", []) == spelled(job.get("relabel_configs", []))
    assert endpoint.get("metricRelabelings", []) == spelled(job.get("metric_relabel_configs", []))
    assert monitor["sampleLimit"] == job["sample_limit"]
    assert monitor.get("bodySizeLimit") == job.get("body_size_limit")


@pytest.mark.parametrize("name", WATCHED)
@pytest.mark.parametrize("component", ["serving", "probe"])
def test_a_monitor_finds_a_service_with_the_port_and_names_the_job_after_it(name, component):
    objects = overlay(name)
    monitor = named(objects, "ServiceMonitor", f"seq2sum-{component}")["spec"]
    selector = monitor["selector"]["matchLabels"].items()
    (service,) = (
        each
        for each in of_kind(objects, "Service")
        if selector <= each["metadata"]["labels"].items()
    )
    ports = {port["name"]: port["port"] for port in service["spec"]["ports"]}
    (endpoint,) = monitor["endpoints"]
    assert ports[endpoint["port"]] in pods(objects, component).ports.values()
    assert service["metadata"]["labels"][monitor["jobLabel"]] == component


def test_the_rules_are_those_of_the_files_of_rules():
    assert prometheus_rule.WRITTEN.read_text() == prometheus_rule.text(), (
        "the rules have changed: python tests/deploy/prometheus_rule.py"
    )
    for name in WATCHED:
        (rule,) = of_kind(overlay(name), "PrometheusRule")
        assert rule["spec"]["groups"] == prometheus_rule.groups()
