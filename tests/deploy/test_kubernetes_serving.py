"""The servers' pods: flags, files and probes, and the times of a rolling update."""

from __future__ import annotations

import inspect
import re

import pytest
import seq2sum
from deploy import compose_file, kubernetes_times
from deploy.kubernetes_manifests import (
    KUBERNETES,
    OVERLAYS,
    configs,
    flags,
    named,
    overlay,
    pods,
    server,
)
from deploy.kubernetes_times import Times

LOAD_ATTEMPTS, RETRY_SECONDS = 6, 60
"""Attempts to load a version and the interval between them: TensorFlow Serving's defaults
(max_num_load_retries and load_retry_interval_micros in model_servers/main.cc)."""


@pytest.fixture(params=OVERLAYS)
def objects(request):
    return overlay(request.param)


def test_flags_and_image_agree_with_compose(objects):
    compose = compose_file.services()["serving"]
    container = server(objects)
    assert flags(container["args"]) == compose_file.flag_values(compose)
    assert container["image"] == compose["image"]
    assert container["command"] == compose["entrypoint"][:1]  # compose has a flag there


def test_flags_refer_to_ports_and_files_of_the_pod(objects):
    pod, container = pods(objects, "serving"), server(objects)
    chosen = flags(container["args"])
    assert pod.ports == {"grpc": int(chosen["port"]), "rest": int(chosen["rest_api_port"])}
    files = configs(pod, objects, container)
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    for flag, path in chosen.items():
        if flag == "model_config_file":
            assert path.rpartition("/")[0] in mounts  # the folder, since rollouts replace the file
        elif path.startswith("/"):
            assert path in files, flag


def test_the_init_container_copies_the_initial_model_config_file_to_the_path_of_the_servers(
    objects,
):
    pod = pods(objects, "serving")
    (first,) = pod.spec["initContainers"]
    environment = {each["name"]: each.get("value") for each in first["env"]}
    assert f"{environment['FIRST']}/models.config" in configs(pod, objects, first)
    path = flags(server(objects)["args"])["model_config_file"]
    assert path == f"{environment['MODELS']}/models.config"


def test_probes_have_enough_time(objects):
    container = server(objects)
    start, ready, live = (
        container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")
    )
    script = configs(pods(objects, "serving"), objects, container)["/etc/seq2sum/ready.sh"]
    timeout = int(re.search(r"^seconds=\$\{TIMEOUT:-(\d+)\}", script, re.MULTILINE)[1])
    assert start["exec"] == ready["exec"]
    assert timeout < ready["timeoutSeconds"]  # so that the script can print the reason
    # A server whose version cannot be loaded exits with the reason before it is killed.
    assert start["failureThreshold"] * start["periodSeconds"] > LOAD_ATTEMPTS * RETRY_SECONDS
    # A pod is taken out of service before it is restarted.
    assert ready["failureThreshold"] * ready["periodSeconds"] < (
        live["failureThreshold"] * live["periodSeconds"]
    )
    assert "exec" not in live  # a bad version does not restart a server


def test_a_terminating_pod_serves_for_as_long_as_clients_may_call_it(objects):
    times = Times.of(server(objects))
    grace = pods(objects, "serving").spec["terminationGracePeriodSeconds"]
    assert times.longest_use < times.pre_stop < grace


def test_the_default_timeout_of_the_client_is_shorter_than_the_grace_period_of_calls(objects):
    timeout = inspect.signature(seq2sum.Client).parameters["timeout"].default
    assert timeout < Times.of(server(objects)).longest_call


def test_the_sum_in_the_comment_agrees_with_the_manifest():
    text = (KUBERNETES / "base" / "serving.yaml").read_text()
    *parts, total = (int(found) for found in re.findall(r"^# +(\d+) s  ", text, re.MULTILINE))
    times = Times.of(server(overlay("production")))
    connection = times.connection * kubernetes_times.JITTER
    assert sum(parts[:2]) == times.dns
    assert parts[2:] == pytest.approx([connection, times.lookup, times.longest_call])
    assert total == sum(parts) == pytest.approx(times.longest_use)


@pytest.mark.parametrize("name", ["local", "production"])
def test_a_rolling_update_starts_a_new_pod_first_and_waits_for_a_slow_start(name):
    spec = named(overlay(name), "Deployment", "seq2sum-serving")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    start = server(overlay(name))["startupProbe"]
    longest = start["periodSeconds"] * start["failureThreshold"]
    assert longest + spec["minReadySeconds"] < spec["progressDeadlineSeconds"]
