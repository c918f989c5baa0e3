"""The default profile: from an empty models folder to an answered question, and a rollback."""

from __future__ import annotations

import json
import shutil
import urllib.request

import pytest
import seq2sum

TARGET = "localhost:8500"
METRICS = "http://127.0.0.1:8501/monitoring/prometheus/metrics"


@pytest.fixture(scope="module")
def project(filled_project):
    filled_project.up()
    return filled_project


@pytest.fixture
def client(project):  # noqa: ARG001
    with seq2sum.Client(TARGET) as client:
        yield client


def test_the_service_train_filled_an_empty_folder(trained):
    extra = trained / "seq2sum" / "1" / "assets.extra"
    assert json.loads((extra / "contract.json").read_text())["evaluation"]["errors"] == 0
    assert "stable" in (trained / "models.config").read_text()
    assert not (trained / ".training").exists()


def test_a_client_outside_gets_answers(client):
    answers = [answer.value for answer in client.add_many(["53+42", "123+456", "999+1"])]
    assert answers == [95, 579, 1000]
    assert client.add("53+42", label="stable").version == 1


def test_metrics_are_published(client):
    client.add("1+2")
    with urllib.request.urlopen(METRICS, timeout=10) as reply:
        assert ':tensorflow:serving:request_count{model_name="seq2sum",status="OK"}' in (
            reply.read().decode()
        )


def test_status_succeeds(project):
    assert "stable" in project.rollout("status").stdout


def test_a_version_is_promoted_and_rolled_back(project, client):
    base = project.models / "seq2sum"
    shutil.copytree(base / "1", base / "2")
    project.give_to_operator()
    project.rollout("promote", "2", "--without-gates", "--reason", "to see it")
    assert client.add("2+3", label="stable").version == 2
    project.rollout("rollback", "--reason", "to see it")
    assert client.add("2+3", label="stable").version == 1


def test_another_up_trains_nothing_and_a_restarted_server_has_its_labels(project, client):
    before = (project.models / "models.config").read_text()
    project.compose("stop", "serving")
    project.up()
    assert (project.models / "models.config").read_text() == before
    assert client.add("2+3", label="stable").version == 1
    assert "has version 1 2" in project.output("train")
