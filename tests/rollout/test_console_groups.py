"""The status of a candidate group, and of calls without a label."""

from __future__ import annotations

import pytest
from seq2sum import State, VersionStatus
from seq2sum_serving.console import unlabelled
from seq2sum_serving.console.status import as_json, report
from seq2sum_serving.deployment.state import Current, ModelEntry, Policy, Replica
from support import situations
from support.rendering import shown

ON_BOTH = "version 1 on r0:1, version 2 on r1:1"


def current():
    return situations.current("5", "5A", stable=5, canary=5)


def group(canary):
    """Returns a candidate group with version 5, which is stable, and maybe another version."""
    versions = {5: VersionStatus(5, State.AVAILABLE), canary: VersionStatus(canary, State.LOADING)}
    labels = {"stable": canary, "canary": canary}
    entry = ModelEntry(Policy("specific", frozenset(versions)), labels)
    return Current((5, canary), entry, [Replica("x:1", versions, labels)])


def test_report_of_a_candidate_group():
    text = shown(report(current(), model="seq2sum", weights={"stable": 1.0}, candidate=group(6)))
    table = "\n".join(text).partition("candidate group")[2].split("\n")
    assert table[4:6] == [
        "      6  canary  yes      yes      LOADING",
        "      5  stable  yes      yes      AVAILABLE",
    ]
    assert "drift  ! version 6 is aspired, and is LOADING on x:1" in table


def test_report_of_a_candidate_group_that_does_not_resolve():
    options = {"weights": {"stable": 1.0}, "candidate_error": "dns:///x:1 does not resolve"}
    text = "\n".join(shown(report(current(), model="seq2sum", **options)))
    assert "candidate group  dns:///x:1 does not resolve" in text
    assert as_json(current(), model="m", **options)["candidate_group"] == {
        "error": "dns:///x:1 does not resolve"
    }


def test_json_has_the_candidate_group_and_where_unlabelled_calls_go():
    found = as_json(current(), model="m", weights={"stable": 1.0}, candidate=group(6))
    assert found["candidate_group"]["labels"]["recorded"] == {"stable": 6, "canary": 6}
    assert found["candidate_group"]["replicas"][0]["target"] == "x:1"
    assert set(found["unlabelled"]) == {each["target"] for each in found["replicas"]}


@pytest.mark.parametrize(
    ("serving", "expected"),
    [
        (["1"], "unlabelled calls go to version 1"),
        (["1 2"], "! unlabelled calls go to version 2, and stable is version 1"),
        (["1", "2"], f"! unlabelled calls go to {ON_BOTH}, and stable is version 1"),
        ([""], "! unlabelled calls go to no version, and stable is version 1"),
    ],
)
def test_where_unlabelled_calls_go(serving, expected):
    states = (" ".join(f"{version}A" for version in versions.split()) for versions in serving)
    lines = unlabelled.lines(situations.current("1 2", *states, stable=1, canary=1))
    assert [line.plain for line in lines] == [expected]
