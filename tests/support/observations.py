"""Short functions that make observations of probe rounds, for tests of metrics and findings."""

from __future__ import annotations

from seq2sum_serving.probe.observation import Call, Observation
from support.situations import recorded, replica

A, B = "a:1", "b:1"
"""The targets of two replicas."""
LABELS = {"stable": 2, "canary": 2}


def correct(seconds=0.002):
    return Call("OK", seconds, compared=True)


def wrong(difference="sum is 4 (expected 3)"):
    return Call("OK", 0.002, "", True, '{"x": [1, 2]}', difference)


def uncompared():
    """A call that another version answered, or one for metadata."""
    return Call("OK", 0.002)


def failed(code="UNAVAILABLE", details="gone"):
    return Call(code, 0.5, details)


def observe(*replicas, calls=None, desired=LABELS, **more):
    """A round; by default both labels of two replicas point to version 2 and answer correctly."""
    replicas = replicas or [replica("2A", LABELS, target) for target in (A, B)]
    if calls is None:
        calls = {(each.target, label): [correct()] for each in replicas for label in LABELS}
    config = None if desired is None else recorded("2", **desired)
    labels = more.pop("labels", tuple(LABELS))
    return Observation(replicas, calls, labels=labels, recorded=config, **more)
