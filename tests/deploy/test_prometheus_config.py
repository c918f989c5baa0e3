"""prometheus.yml and Grafana's provisioning fit docker-compose.yml."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from deploy import compose_file
from deploy import monitoring_files as files

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
    jobs = [files.job("serving"), files.job("candidate")]
    targets = [
        target for job in jobs for target in (*static_targets(job), *discovered_targets(job))
    ]
    servers = {
        name
        for name, service in COMPOSE.items()
        if any("--rest_api_port=" in word for word in service.get("command") or [])
    }
    assert {host for host, _ in targets} == servers == set(compose_file.SERVERS)
    assert discovered_targets(files.job("candidate")) == [("candidate", "8501")]
    for host, port in targets:
        assert compose_file.flag_values(COMPOSE[host])["rest_api_port"] == port


def test_envoy_is_scraped_on_its_metrics_port():
    [(_, port)] = discovered_targets(files.job("router"))
    listeners = files.read(files.ROOT / "serving/envoy/router.yaml")["static_resources"][
        "listeners"
    ]
    [metrics] = [each for each in listeners if each["name"] == "metrics"]
    assert metrics["address"]["socket_address"]["port_value"] == int(port)


def test_the_replica_label_is_the_target_of_the_probe():
    [rule] = files.job("serving")["relabel_configs"]
    assert (rule["source_labels"], rule["target_label"]) == (["__address__"], "replica")
    label = re.sub(rf"^{rule['regex']}$", rule["replacement"].replace("$1", r"\1"), "serving:8501")
    assert re.findall(r"serving:\d+", str(COMPOSE["probe"]["command"])) == [label]


def test_servers_of_the_candidate_group_do_not_count_as_servers_that_callers_reach():
    serving, candidate = files.job("serving"), files.job("candidate")
    assert "relabel_configs" not in candidate  # no label `replica`
    same = ("metrics_path", "scrape_interval", "metric_relabel_configs", "sample_limit")
    assert {key: serving[key] for key in same} == {key: candidate[key] for key in same}


def test_metrics_of_the_configured_models_are_kept():
    kept = {
        rule["source_labels"][0]: rule["regex"]
        for rule in files.job("serving")["metric_relabel_configs"]
        if rule["source_labels"] != ["__name__"]
    }
    assert kept == dict.fromkeys(("model_name", "model"), "seq2sum|")
    models = (files.ROOT / "serving/config/models.config").read_text()
    assert re.findall(r'name: "(.+)"', models) == ["seq2sum"]


def start(folder, **variables):
    """Runs start.sh with a program that prints its command line in place of Prometheus."""
    program = folder / "prometheus"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", files.FOLDER / "start.sh", "--web.example"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": path, "TMPDIR": str(folder), **variables},
    )


@pytest.mark.parametrize(
    ("variables", "kept"),
    [
        ({}, "seq2sum|"),
        ({"MODEL": "sentiment", "SCRAPED_MODELS": ""}, "sentiment|"),
        ({"MODEL": "sentiment", "SCRAPED_MODELS": "sentiment|v1.price"}, "sentiment|v1.price|"),
    ],
)
def test_the_start_script_keeps_metrics_of_the_models_of_the_deployment(tmp_path, variables, kept):
    done = start(tmp_path, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"--config.file={tmp_path}/prometheus.yml", "--web.example"]
    expected, written = files.read(files.CONFIG), files.read(tmp_path / "prometheus.yml")
    expected["rule_files"] = [str(files.FOLDER / "rules" / "*.yml")]
    for rule in expected["scrape_configs"][0]["metric_relabel_configs"][:2]:
        rule["regex"] = kept
    assert written == expected


@pytest.mark.parametrize("models", ["a,b", "a||b", "|a", "a|", "a b", "a#e"])
def test_the_start_script_refuses_names_that_are_not_of_models(tmp_path, models):
    done = start(tmp_path, SCRAPED_MODELS=models)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"invalid SCRAPED_MODELS '{models}': expected names of models with | between them\n"
    )


def test_compose_mounts_the_configuration():
    prometheus, grafana = (
        {path: str(source.relative_to(files.FOLDER)) for path, source in mounts.items()}
        for mounts in (compose_file.mounts(COMPOSE[name]) for name in ("prometheus", "grafana"))
    )
    assert prometheus == {"/etc/prometheus": "."}
    assert COMPOSE["prometheus"]["entrypoint"] == ["/bin/sh", "/etc/prometheus/start.sh"]
    assert "prometheus.yml" in (files.FOLDER / "start.sh").read_text()
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
