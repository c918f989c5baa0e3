"""Drift between the model config file, the disk and the replicas."""

from __future__ import annotations

import pytest
from seq2sum import State, VersionStatus
from seq2sum_serving.deployment.drift import drift
from seq2sum_serving.deployment.plain_text import first_line
from seq2sum_serving.deployment.state import Current, ModelEntry, Policy, Replica

AVAILABLE, LOADING, END = State.AVAILABLE, State.LOADING, State.END


def replica(target, states, labels=None, errors=None):
    return Replica(
        target,
        {
            version: VersionStatus(version, state, (errors or {}).get(version, ""))
            for version, state in states.items()
        },
        labels or {},
    )


def current(*replicas, aspired=(1, 2), labels=None, on_disk=(1, 2), policy=None):
    policy = policy or Policy("specific", frozenset(aspired))
    return Current(
        on_disk, ModelEntry(policy, {"stable": 1} if labels is None else labels), replicas
    )


BOTH = {1: AVAILABLE, 2: AVAILABLE}
GONE = Replica("a:1", error="UNAVAILABLE: connection refused\ntrace")

CASES = {
    "no drift": (
        current(replica("a:1", BOTH, {"stable": 1}), replica("b:1", BOTH, {"stable": 1})),
        [],
    ),
    "an unlisted version is unloaded or UNLOADING": (
        current(replica("a:1", {**BOTH, 3: END, 4: State.UNLOADING})),
        [],
    ),
    "a replica does not answer": (
        current(GONE, replica("b:1", BOTH)),
        ["a:1 does not answer: UNAVAILABLE: connection refused"],
    ),
    "an aspired version is LOADING": (
        current(replica("a:1", {1: AVAILABLE, 2: LOADING}), replica("b:1", BOTH)),
        ["version 2 is aspired, and is LOADING on a:1"],
    ),
    "an aspired version is not known": (
        current(replica("a:1", {1: AVAILABLE})),
        ["version 2 is aspired, and is not known on a:1"],
    ),
    "an aspired version is unloaded": (
        current(replica("a:1", {1: AVAILABLE, 2: END})),
        ["version 2 is aspired, and is unloaded (END) on a:1"],
    ),
    "an aspired version failed to load": (
        current(
            replica("a:1", {1: AVAILABLE, 2: END}, errors={2: "NOT_FOUND: no model\nin /models"})
        ),
        ["version 2 is aspired, and failed to load (END) on a:1: NOT_FOUND: no model"],
    ),
    "replicas with different drift": (
        current(replica("a:1", {1: AVAILABLE, 2: LOADING}), replica("b:1", {1: AVAILABLE})),
        [
            "version 2 is aspired, and is LOADING on a:1",
            "version 2 is aspired, and is not known on b:1",
        ],
    ),
    "replicas with equal drift share a sentence": (
        current(*(replica(f"{host}:1", {1: AVAILABLE, 2: LOADING}) for host in "abc")),
        ["version 2 is aspired, and is LOADING on every replica"],
    ),
    "some replicas with equal drift": (
        current(
            *(replica(f"{host}:1", {1: AVAILABLE, 2: LOADING}) for host in "abc"),
            replica("d:1", BOTH),
        ),
        ["version 2 is aspired, and is LOADING on a:1, b:1 and c:1"],
    ),
    "an unlisted version is loaded": (
        current(replica("a:1", {**BOTH, 3: AVAILABLE, 4: LOADING})),
        [
            "version 3 is not aspired, and is AVAILABLE on a:1",
            "version 4 is not aspired, and is LOADING on a:1",
        ],
    ),
    "a label is on another version": (
        current(replica("a:1", BOTH, {"stable": 2})),
        ["label stable should be version 1, and is version 2 on a:1"],
    ),
    "a label is on no version": (
        current(replica("a:1", BOTH, {"stable": None})),
        ["label stable should be version 1, and is unset on a:1"],
    ),
    "a label is not recorded": (
        current(replica("a:1", BOTH, {"blue": 2, "green": None})),
        ["label blue is not in the model config file, and is version 2 on a:1"],
    ),
    "a label that was not resolved": (
        current(replica("a:1", BOTH), labels={"stable": 1, "blue": 2}),
        [],
    ),
    "an aspired version is missing on disk": (
        current(replica("a:1", BOTH), on_disk=(1,)),
        ["version 2 is aspired, and is missing on disk"],
    ),
    "no version is stable": (
        current(replica("a:1", BOTH), labels={}),
        ["no version is stable in the model config file"],
    ),
    "a label is on an unlisted version": (
        current(replica("a:1", BOTH), labels={"stable": 1, "previous": 7}),
        ["label previous is on version 7, which is not aspired"],
    ),
    "policy latest": (
        current(replica("a:1", {2: AVAILABLE}), labels={"stable": 2}, policy=Policy()),
        [
            (
                "the policy in the model config file is latest 1, not specific: "
                "the folder decides what is loaded"
            )
        ],
    ),
    "policy all": (
        current(replica("a:1", BOTH), policy=Policy("all")),
        [
            (
                "the policy in the model config file is all, not specific: "
                "the folder decides what is loaded"
            )
        ],
    ),
}


@pytest.mark.parametrize(("current_state", "sentences"), CASES.values(), ids=CASES.keys())
def test_drift_lists_every_difference(current_state, sentences):
    assert drift(current_state) == sentences


@pytest.mark.parametrize(
    ("text", "line"),
    [("one\ntwo", "one"), ("\n  two  \n", "two"), ("", "no reason given")],
)
def test_first_line_of_an_error(text, line):
    assert first_line(text) == line
