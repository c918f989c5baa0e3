"""prometheus.yml beside docker-compose.yml: what is scraped is there; these files are mounted."""

from __future__ import annotations

import re

import pytest
import yaml
from deploy import monitoring_files as files
from seq2sum.addition import contract

COMPOSE = yaml.safe_load((files.ROOT / "docker-compose.yml").read_text())["services"]
JOBS = files.read(files.CONFIG)["scrape_configs"]
MODELS = files.ROOT / "serving/config/models.config"


def expected(job):
    """Host and port of what is scraped at a fixed address."""
    return [
        target.split(":") for each in job.get("static_configs", []) for target in each["targets"]
    ]


def discovered(job):
    """Name and port of what is scraped at whatever addresses a name has."""
    return [
        (name, str(each["port"]))
        for each in job.get("dns_sd_configs", [])
        for name in each["names"]
    ]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job["job_name"])
def test_whatever_is_scraped_is_a_service_of_compose(job):
    hosts = {host for host, _ in [*expected(job), *discovered(job)]} - {"localhost"}
    assert hosts <= set(COMPOSE)


def test_what_is_always_expected_runs_whenever_prometheus_does():
    # A target that a profile leaves out would be down for ever.
    for job in JOBS:
        for host, _ in expected(job):
            if host != "localhost":
                assert set(COMPOSE[host].get("profiles", ["monitoring"])) == {"monitoring"}


def test_every_server_of_the_model_is_scraped_on_its_rest_port():
    job = files.job("serving")
    servers = {
        name
        for name, service in COMPOSE.items()
        if any("--rest_api_port=" in word for word in service.get("command") or [])
    }
    assert {host for host, _ in [*expected(job), *discovered(job)]} == servers
    for host, port in [*expected(job), *discovered(job)]:
        assert f"--rest_api_port={port}" in COMPOSE[host]["command"]
    [path] = re.findall(
        r'path: "(.+)"', (files.ROOT / "serving/config/monitoring.config").read_text()
    )
    assert job["metrics_path"] == path


def test_envoy_is_read_where_it_shows_nothing_else():
    [(_, port)] = discovered(files.job("envoy"))
    listeners = files.read(files.ROOT / "serving/envoy/envoy.yaml")["static_resources"]["listeners"]
    [metrics] = [each for each in listeners if each["name"] == "metrics"]
    assert metrics["address"]["socket_address"]["port_value"] == int(port)


def test_replicas_have_the_name_that_the_probe_gives_them():
    [rule] = files.job("serving")["relabel_configs"]
    assert (rule["source_labels"], rule["target_label"]) == (["__address__"], "replica")
    named = re.sub(rf"^{rule['regex']}$", rule["replacement"].replace("$1", r"\1"), "serving:8501")
    asked = re.findall(r"serving:\d+", str(COMPOSE["probe"]["command"]))
    assert asked == [named]


def test_the_models_that_are_kept_are_those_that_are_served():
    kept = {
        rule["source_labels"][0]: rule["regex"]
        for rule in files.job("serving")["metric_relabel_configs"]
        if rule["source_labels"] != ["__name__"]
    }
    assert kept == dict.fromkeys(("model_name", "model"), f"({contract.MODEL_NAME})?")
    assert re.findall(r'name: "(.+)"', MODELS.read_text()) == [contract.MODEL_NAME]


def test_no_page_may_fill_prometheus():
    for job in JOBS:
        if job["job_name"] != "prometheus":
            assert job["sample_limit"] > 0


def test_compose_mounts_these_files():
    mounted = dict(volume.split(":")[:2] for volume in COMPOSE["prometheus"]["volumes"])
    assert mounted["./serving/monitoring"] == "/etc/prometheus"
    assert "--config.file=/etc/prometheus/prometheus.yml" in COMPOSE["prometheus"]["command"]
    mounted = dict(volume.split(":")[:2] for volume in COMPOSE["grafana"]["volumes"])
    assert mounted["./serving/monitoring/grafana/provisioning"] == "/etc/grafana/provisioning"
    [provider] = files.read(files.GRAFANA / "provisioning/dashboards/seq2sum.yml")["providers"]
    assert mounted["./serving/monitoring/grafana/dashboards"] == provider["options"]["path"]


def test_grafana_asks_this_prometheus_at_its_pace():
    [source] = files.read(files.GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"]
    assert source["type"] == "prometheus"
    host, port = source["url"].removeprefix("http://").split(":")
    assert any(published.endswith(f":{port}") for published in COMPOSE[host]["ports"])
    # $__rate_interval is made of it: of four scrapes, so that a rate has values to compare.
    assert source["jsonData"]["timeInterval"] == files.job("serving")["scrape_interval"]
