"""Findings: one line for each thing that is wrong."""

from __future__ import annotations

import pytest
from seq2sum_serving.deployment.state import Replica
from seq2sum_serving.probe.exporter import changes
from seq2sum_serving.probe.findings import Finding, findings
from seq2sum_serving.probe.observation import Certificate, Events
from support.observations import A, B, correct, failed, observe, uncompared, wrong
from support.situations import replica

WRONG = 'golden answers of label stable are wrong: for {"x": [1, 2]}, sum is 4 (expected 3)'
DESIRED = {"stable": 2, "canary": 2}
DOWN = Replica(B, error="UNAVAILABLE connections to all backends failing\nand more")

CASES = {
    "nothing is wrong": (observe(), []),
    "a replica is down, which explains its failed calls": (
        observe(replica("2A", DESIRED, A), DOWN, calls={(B, "stable"): [failed()]}),
        ["b:1 is down: UNAVAILABLE connections to all backends failing"],
    ),
    "a label points to another version": (
        observe(replica("1A 2A", {"stable": 1, "canary": 2}, A)),
        ["label stable should be version 2, and is version 1 on a:1"],
    ),
    "a label is not set": (
        observe(replica("2A", {"stable": 2, "canary": None}, A)),
        ["label canary should be version 2, and is unset on a:1"],
    ),
    "a version is loading": (observe(replica("2A 3L", DESIRED, A)), []),
    "a label of --labels is not in the model config file": (
        observe(replica("2A", {"stable": 2}, A), desired={"stable": 2}, calls={}),
        ["label canary is not in the model config file: add it or remove it from --labels"],
    ),
    "a call fails": (
        observe(calls={(A, "stable"): [correct(), failed("RESOURCE_EXHAUSTED", "no\nmore")]}),
        ["a:1: a call to label stable failed: RESOURCE_EXHAUSTED no"],
    ),
    "answers are wrong": (
        observe(
            calls={(A, "stable"): [correct(), wrong(), wrong("x")], (B, "stable"): [correct()]}
        ),
        [f"a:1: 2 of 3 {WRONG}"],
    ),
    "answers are wrong before a call fails": (
        observe(calls={(A, "stable"): [correct(), uncompared(), wrong(), failed()]}),
        [
            "a:1: a call to label stable failed: UNAVAILABLE gone",
            f"a:1: 1 of 2 {WRONG}",
        ],
    ),
    "nothing is compared": (observe(calls={(A, "stable"): [uncompared()]}), []),
    "a certificate has expired": (
        observe(certificates={A: Certificate(1.6e9)}, finished=1.7e9),
        ["the certificate of a:1 expired on 2020-09-13 at 12:26 UTC"],
    ),
    "a certificate is valid": (
        observe(certificates={A: Certificate(1.8e9)}, finished=1.7e9),
        [],
    ),
    "no certificate": (
        observe(certificates={A: Certificate(None, "a:1 presents no certificate: timed out")}),
        ["a:1 presents no certificate: timed out"],
    ),
    "an input cannot be read": (
        observe(desired=None, input_errors={"targets": "", "model_config": "cannot find the file"}),
        ["cannot find the file"],
    ),
    "golden requests are not valid": (
        observe(input_errors={"golden_requests": "not valid JSON"}),
        ["not valid JSON"],
    ),
}


@pytest.mark.parametrize(("observation", "lines"), CASES.values(), ids=CASES)
def test_each_finding_is_one_line_with_its_own_key(observation, lines):
    found = findings({"sums": observation})
    assert [finding.text for finding in found] == lines
    assert not any(finding.note for finding in found)
    assert len({finding.key for finding in found}) == len(found)


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"input_errors": {"versions": "cannot look at it"}}, "cannot look at it"),
        ({"missing": {"golden_requests": "there are none"}}, "there are none"),
        ({"events": Events(invalid_lines=2)}, "2 lines of the history are not valid events"),
    ],
)
def test_a_finding_that_does_not_affect_callers_is_a_note(more, line):
    [found] = findings({"sums": observe(**more)})
    assert (found.text, found.note) == (line, True)


def test_findings_of_several_models_name_the_model_except_for_what_models_share():
    down = observe(
        replica("2A", DESIRED, A),
        DOWN,
        calls={(A, "stable"): [wrong()]},
        certificates={A: Certificate(None, "a:1 presents no certificate")},
        input_errors={"model_config": "cannot find the file", "traffic": "cannot read it"},
    )
    found = findings({"first": down, "second": down, "third": observe()})
    assert sorted(finding.text for finding in found) == [
        "a:1 presents no certificate",
        "b:1 is down: UNAVAILABLE connections to all backends failing",
        "cannot find the file",
        f"first: a:1: 1 of 1 {WRONG}",
        "first: cannot read it",
        f"second: a:1: 1 of 1 {WRONG}",
        "second: cannot read it",
    ]
    assert len({finding.key for finding in found}) == len(found)


def test_a_finding_is_logged_when_it_occurs_and_when_it_is_resolved():
    gone, worse = Finding("a", "a is down: refused"), Finding("a", "a is down: timed out")
    other = Finding("b", "b is wrong")
    assert changes([], [gone]) == ["a is down: refused"]
    assert changes([gone], [worse]) == []
    assert changes([worse], [other]) == ["b is wrong", "resolved: a is down: timed out"]
    assert changes([other], []) == ["resolved: b is wrong"]
