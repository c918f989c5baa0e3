"""prometheus.yml and Grafana's provisioning fit docker-compose.yml."""

from __future__ import annotations

import re

import pytest
from deploy import compose_file
from deploy import monitoring_files as files
from seq2sum.addition import contract

COMPOSE = compose_file.services()
JOBS = files.read(files.CONFIG)["scrape_configs"]


def static_targets(job):
    """Hosts and ports of the static targets."""
    targets = [target for each in job.get("static_configs", []) for target in each["targets"]]
    return [tuple(target.split(":")) for target in targets]


def discovered_targets(job):
    """Names and ports of the targets that DNS discovers."""
    configs = job.get("dns_sd_configs", [])
    return [(name, str(each["port"])) for each in configs for name in each["names"]]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job["job_name"])
def test_every_target_is_a_service_and_has_a_sample_limit(job):
    hosts = {host for host, _ in [*static_targets(job), *discovered_targets(job)]}
    if job["job_name"] == "prometheus":
        assert hosts == {"localhost"}
    else:
        assert hosts <= set(COMPOSE)
        assert job["sample_limit"] > 0


def test_static_targets_run_whenever_prometheus_does():
    # A static target in another profile would be down forever.
    hosts = {host for job in JOBS for host, _ in static_targets(job)} - {"localhost"}
    for host in hosts:
        assert COMPOSE[host].get("profiles", ["monitoring"]) == ["monitoring"]


def test_every_server_is_scraped_on_its_rest_port():
    job = files.job("serving")
    targets = [*static_targets(job), *discovered_targets(job)]
    servers = {
        name
        for name, service in COMPOSE.items()
        if any("--rest_api_port=" in word for word in service.get("command") or [])
    }
    assert {host for host, _ in targets} == servers == set(compose_file.SERVERS)
    for host, port in targets:
        assert compose_file.flag_values(COMPOSE[host])["rest_api_port"] == port


def test_envoy_is_scraped_on_its_metrics_port():
    [(_, port)] = discovered_targets(files.job("envoy"))
    listeners = files.read(files.ROOT / "serving/envoy/envoy.yaml")["static_resources"]["listeners"]
    [metrics] = [each for each in listeners if each["name"] == "metrics"]
    assert metrics["address"]["socket_address"]["port_value"] == int(port)


def test_the_replica_label_is_the_target_of_the_probe():
    [rule] = files.job("serving")["relabel_configs"]
    assert (rule["source_labels"], rule["target_label"]) == (["__address__"], "replica")
    label = re.sub(rf"^{rule['regex']}$", rule["replacement"].replace("$1", r"\1"), "serving:8501")
    assert re.findall(r"serving:\d+", str(COMPOSE["probe"]["command"])) == [label]


def test_metrics_of_the_configured_models_are_kept():
    kept = {
        rule["source_labels"][0]: rule["regex"]
        for rule in files.job("serving")["metric_relabel_configs"]
        if rule["source_labels"] != ["__name__"]
    }
    assert kept == dict.fromkeys(("model_name", "model"), f"({contract.MODEL_NAME})?")
    models = (files.ROOT / "serving/config/models.config").read_text()
    assert re.findall(r'name: "(.+)"', models) == [contract.MODEL_NAME]


def test_compose_mounts_the_configuration():
    prometheus, grafana = (
        {path: str(source.relative_to(files.FOLDER)) for path, source in mounts.items()}
        for mounts in (compose_file.mounts(COMPOSE[name]) for name in ("prometheus", "grafana"))
    )
    assert prometheus == {"/etc/prometheus": "."}
    assert "--config.file=/etc/prometheus/prometheus.yml" in COMPOSE["prometheus"]["command"]
    [provider] = files.read(files.GRAFANA / "provisioning/dashboards/seq2sum.yml")["providers"]
    assert grafana == {
        "/etc/grafana/provisioning": "grafana/provisioning",
        provider["options"]["path"]: "grafana/dashboards",
    }


def test_grafana_queries_prometheus_with_its_scrape_interval():
    [source] = files.read(files.GRAFANA / "provisioning/datasources/prometheus.yml")["datasources"]
    assert source["type"] == "prometheus"
    host, port = source["url"].removeprefix("http://").split(":")
    assert int(port) in [container for *_, container in compose_file.published(COMPOSE[host])]
    # $__rate_interval is four times as long, so that a rate has values to compare.
    assert source["jsonData"]["timeInterval"] == files.job("serving")["scrape_interval"]
