"""The profile `embedded`: seq2sum-serve on the same models, and its graceful stop."""

from __future__ import annotations

import pytest
import seq2sum
from containers import hardening
from containers.run import step
from deploy.balancing_load import Load

TARGET, STOCK = "localhost:8520", "localhost:8500"


@pytest.fixture(scope="module")
def project(filled_project):
    filled_project.up(profile="embedded")
    return filled_project


def test_both_servers_give_the_same_answers(project):  # noqa: ARG001
    questions = [f"{a}+{b}" for a in range(0, 1000, 37) for b in range(0, 1000, 41)]
    answers = []
    for target in (TARGET, STOCK):
        with seq2sum.Client(target) as client:
            answers.append([answer.value for answer in client.add_many(questions)])
    expected = [sum(map(int, question.split("+"))) for question in questions]
    assert answers == [expected, expected]


def test_the_container_is_hardened(project):
    hardening.check(project, "embedded")


def test_stop_under_load_fails_no_call(project):
    with Load([TARGET, STOCK], timeout=20) as load, step("embedded stops under load"):
        load.next_calls(200)
        project.compose("stop", "embedded")
        load.next_calls(200)
    assert not load.failed, load.summary
    assert project.state("embedded")["State"]["ExitCode"] == 0
