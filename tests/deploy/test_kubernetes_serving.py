"""The servers' pods: flags, files and probes, and that a roll of them loses no call, as a sum."""

from __future__ import annotations

import inspect
import re

import pytest
import seq2sum
from deploy import compose_file, kubernetes_times
from deploy.kubernetes_manifests import KUBERNETES, OVERLAYS, configs, flags, overlay, pods, server
from deploy.kubernetes_times import Times

TRIES, BETWEEN = 6, 60
"""Of loading a version that cannot be loaded, and seconds between two; TensorFlow Serving's own."""


@pytest.fixture(params=OVERLAYS)
def objects(request):
    return overlay(request.param)


def test_flags_and_image_are_those_of_compose(objects):
    compose = compose_file.services()["serving"]
    container = server(objects)
    assert flags(container["args"]) == compose_file.flag_values(compose)
    assert container["image"] == compose["image"]
    assert container["command"] == compose["entrypoint"]


def test_flags_name_ports_and_files_that_the_pod_has(objects):
    pod, container = pods(objects, "serving"), server(objects)
    chosen = flags(container["args"])
    assert pod.ports == {"grpc": int(chosen["port"]), "rest": int(chosen["rest_api_port"])}
    files = configs(pod, objects, container)
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    for flag, path in chosen.items():
        if flag == "model_config_file":
            assert path.rpartition("/")[0] in mounts  # the folder: the file is replaced
        elif path.startswith("/"):
            assert path in files, flag


def test_the_first_file_of_record_comes_from_the_config_and_goes_where_the_servers_look(objects):
    pod = pods(objects, "serving")
    (first,) = pod.spec["initContainers"]
    environment = {each["name"]: each["value"] for each in first["env"]}
    assert f"{environment['FIRST']}/models.config" in configs(pod, objects, first)
    record = flags(server(objects)["args"])["model_config_file"]
    assert record == f"{environment['MODELS']}/models.config"


def test_probes_have_time_for_what_they_wait_for(objects):
    container = server(objects)
    start, ready, live = (
        container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")
    )
    script = configs(pods(objects, "serving"), objects, container)["/etc/seq2sum/ready.sh"]
    patience = int(re.search(r"^seconds=\$\{TIMEOUT:-(\d+)\}", script, re.MULTILINE)[1])
    assert start["exec"] == ready["exec"]
    assert patience < ready["timeoutSeconds"]  # so that it can say why
    # A server whose version cannot be loaded ends by itself, and says why, before it is killed.
    assert start["failureThreshold"] * start["periodSeconds"] > TRIES * BETWEEN
    # Out of service sooner than started again.
    assert ready["failureThreshold"] * ready["periodSeconds"] < (
        live["failureThreshold"] * live["periodSeconds"]
    )
    assert "exec" not in live  # a wrong version is no reason to start a server again


def test_a_pod_serves_for_as_long_as_a_client_may_know_it(objects):
    times = Times.of(server(objects))
    grace = pods(objects, "serving").spec["terminationGracePeriodSeconds"]
    assert times.known < times.waits < grace


def test_calls_of_the_client_end_before_their_connection_is_cut(objects):
    timeout = inspect.signature(seq2sum.Client).parameters["timeout"].default
    assert timeout < Times.of(server(objects)).longest_call


def test_the_comment_adds_up_what_the_manifest_says():
    text = (KUBERNETES / "base" / "serving.yaml").read_text()
    *parts, total = (int(found) for found in re.findall(r"^# +(\d+) s  ", text, re.MULTILINE))
    times = Times.of(server(overlay("production")))
    connection = times.connection * kubernetes_times.SPREAD
    assert sum(parts[:2]) == times.told
    assert parts[2:] == pytest.approx([connection, times.look_up, times.longest_call])
    assert total == sum(parts) == pytest.approx(times.known)


def test_a_roll_takes_no_server_away_before_there_is_another():
    (strategy,) = {
        tuple(sorted(deployment["spec"]["strategy"]["rollingUpdate"].items()))
        for name in ("local", "production")
        for deployment in overlay(name)
        if deployment["metadata"]["name"] == "seq2sum-serving"
        and deployment["kind"] == "Deployment"
    }
    assert dict(strategy) == {"maxSurge": 1, "maxUnavailable": 0}


def test_a_start_may_take_its_time_before_a_roll_counts_as_stuck():
    (deployment,) = (
        each
        for each in overlay("production")
        if each["kind"] == "Deployment" and each["metadata"]["name"] == "seq2sum-serving"
    )
    start = server(overlay("production"))["startupProbe"]
    longest = start["periodSeconds"] * start["failureThreshold"]
    spec = deployment["spec"]
    assert longest + spec["minReadySeconds"] < spec["progressDeadlineSeconds"]
