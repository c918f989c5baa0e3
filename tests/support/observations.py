"""Observations in short form, for tables of metrics and problems."""

from __future__ import annotations

from seq2sum_serving.probe.observation import Call, Sight
from support.situations import recorded, replica

A, B = "a:1", "b:1"
"""Two replicas."""
HEALTHY = {"stable": 2, "canary": 2}


def right(seconds=0.002):
    return Call("1+2", "3", "OK", seconds, "3")


def wrong(said="4"):
    return Call("1+2", "3", "OK", 0.002, said)


def refused():
    return Call("12+2", "14", "OK", 0.002, "too long", refused=True)


def failed(code="UNAVAILABLE", said="gone"):
    return Call("1+2", "3", code, 0.5, said)


def sight(*replicas, calls=None, wanted=HEALTHY, **more):
    """Returns a round that by default found version 2 behind both labels of two replicas."""
    there = replicas or [replica("2A", HEALTHY, target) for target in (A, B)]
    if calls is None:
        calls = {(replica.target, label): [right()] for replica in there for label in HEALTHY}
    record = None if wanted is None else recorded("2", **wanted)
    labels = more.pop("labels", tuple(HEALTHY))
    return Sight(there, calls, labels=labels, recorded=record, **more)
