"""The candidate group: pods of the stable group that callers do not reach."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from deploy import compose_file
from deploy.kubernetes_manifests import OVERLAYS, flags, named, of_kind, overlay, pods, server
from deploy.kubernetes_volume import Volume
from support.paths import ROOT

BOTH = ["candidate.config", "models.config"]
TERMINATION = "terminationGracePeriodSeconds"
POD_FIELDS = (
    "automountServiceAccountToken", "enableServiceLinks", "securityContext", "volumes",
)  # fmt: skip


@pytest.fixture(params=OVERLAYS)
def objects(request):
    return overlay(request.param)


@pytest.fixture
def volume(tmp_path):
    return Volume(tmp_path)


def candidate_of(objects):
    (container,) = pods(objects, "candidate").spec["containers"]
    return container


def test_the_flags_differ_by_the_model_config_file_only(objects):
    stable, candidate = (
        flags(container["args"]) for container in (server(objects), candidate_of(objects))
    )
    assert candidate == compose_file.flag_values(compose_file.services()["candidate"])
    assert candidate.pop("model_config_file") == "/models/candidate.config"
    assert stable.pop("model_config_file") == "/models/models.config"
    assert candidate == stable


def test_pods_differ_from_those_of_the_stable_group_by_probes_and_termination_only(objects):
    stable, candidate = (pods(objects, name).spec for name in ("serving", "candidate"))
    for field in POD_FIELDS:
        assert candidate[field] == stable[field], field
    assert candidate.keys() <= {*POD_FIELDS, "containers", "initContainers", TERMINATION}
    assert candidate["initContainers"][:-1] == stable["initContainers"]
    theirs, own = server(objects), candidate_of(objects)
    changed = {"args", "startupProbe", "readinessProbe", "lifecycle", "name", "ports"}
    assert {field: own[field] for field in own.keys() - changed} == {
        field: theirs[field] for field in theirs.keys() - changed
    }
    assert {port["name"]: port["containerPort"] for port in own["ports"]} == {
        port["name"]: port["containerPort"] for port in theirs["ports"]
    }


def test_wrong_answers_neither_restart_a_candidate_nor_take_it_out_of_dns(objects):
    container = candidate_of(objects)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert "exec" not in container[probe]  # ready.sh, which checks answers
    service = named(objects, "Service", "seq2sum-candidate")
    assert service["spec"]["publishNotReadyAddresses"] is True


def test_nothing_that_selects_the_stable_group_selects_the_candidate_group(objects):
    stable, candidate = (pods(objects, name) for name in ("serving", "candidate"))
    selectors = {
        each["metadata"]["name"]: each["spec"]["selector"]
        for each in of_kind(objects, "Service", "Deployment", "PodDisruptionBudget")
    }
    for name, selector in selectors.items():
        labels = selector.get("matchLabels", selector)
        assert not (stable.matches(labels) and candidate.matches(labels)), name
    for autoscaler in of_kind(objects, "HorizontalPodAutoscaler"):
        assert autoscaler["spec"]["scaleTargetRef"]["name"] == "seq2sum-serving"
    assert named(objects, "Deployment", "seq2sum-candidate")["spec"]["replicas"] == 1


def test_rollouts_use_the_candidate_group_and_the_file_that_it_reads(objects):
    (tools,) = pods(objects, "rollout").spec["containers"]
    variables = {each["name"]: each.get("value") for each in tools["env"]}
    (port,) = (
        each["port"]
        for each in named(objects, "Service", "seq2sum-candidate")["spec"]["ports"]
        if each["name"] == "grpc"
    )
    assert variables["CANDIDATE_TARGETS"] == f"dns:///seq2sum-candidate:{port}"
    path = flags(candidate_of(objects)["args"])["model_config_file"]
    assert variables["CANDIDATE_CONFIG"] == path
    mounts = {each["mountPath"]: each.get("readOnly", False) for each in tools["volumeMounts"]}
    assert mounts[path.rpartition("/")[0]] is False


def test_rollouts_pass_their_environment_to_the_tool():
    (tools,) = pods(overlay("production"), "rollout").spec["containers"]
    script = (ROOT / "serving" / "docker" / "rollout.sh").read_text()
    names = {each["name"] for each in tools["env"]} - {"LOGNAME"}
    assert {name for name in names if f"${{{name}" not in script} == set()


def test_the_candidate_s_file_starts_as_a_copy_of_the_model_config_file(volume):
    assert volume.start(component="candidate").returncode == 0  # on an empty volume: makes both
    assert volume.candidate.read_text() == volume.config.read_text() == volume.first
    volume.candidate.unlink()
    volume.config.write_text("of a rollout\n")
    assert volume.start(component="candidate").returncode == 0
    assert volume.candidate.read_text() == volume.config.read_text() == "of a rollout\n"
    assert volume.files() == BOTH


def test_an_existing_file_of_the_candidate_is_kept(volume):
    volume.candidate.write_text("of a rollout\n")
    assert volume.start(component="candidate").returncode == 0
    assert volume.candidate.read_text() == "of a rollout\n"
    assert volume.files() == BOTH


def test_servers_of_both_groups_that_start_at_the_same_time_write_both_files_once(volume):
    with ThreadPoolExecutor(8) as pool:
        names = [("candidate", "serving")[number % 2] for number in range(8)]
        done = list(
            pool.map(
                lambda each: volume.start(host=f"pod-{each[0]}", component=each[1]),
                enumerate(names),
            )
        )
    assert [each.returncode for each in done] == [0] * 8
    assert volume.candidate.read_text() == volume.config.read_text() == volume.first
    assert volume.files() == BOTH


def test_a_volume_that_cannot_be_written_is_an_error(volume, tmp_path):
    volume.config.write_text("of a rollout\n")
    for program in ("ln", "mv"):
        broken = tmp_path / "bin" / program
        broken.parent.mkdir(exist_ok=True)
        broken.write_text("#!/bin/sh\nexit 0\n")
        broken.chmod(0o755)
    done = volume.start(path=f"{broken.parent}:{os.environ['PATH']}", component="candidate")
    assert done.returncode == 1
    assert done.stderr == f"cannot create {volume.candidate}\n"
