"""Checks of one replica, each with a deadline: its state, its answers, its certificate."""

from __future__ import annotations

import time
from collections.abc import Sequence

import seq2sum
from seq2sum.golden import GoldenRequest, check_one

from seq2sum_serving.deployment.replicas import observe_replica
from seq2sum_serving.deployment.state import Replica
from seq2sum_serving.gates import golden
from seq2sum_serving.probe.certificate import read_certificate
from seq2sum_serving.probe.observation import OK, Call, Certificate

SHORTEST_TIMEOUT = 0.001
"""Seconds that a call gets after the deadline, so that it fails; 0 makes sockets non-blocking."""


class Deadline:
    """A time limit that several calls share."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Returns the seconds that the next call may take."""
        return max(SHORTEST_TIMEOUT, self._end - time.monotonic())


def check_state(
    target: str, client: seq2sum.ModelClient, labels: Sequence[str], seconds: float
) -> Replica:
    """Returns the versions and labels that a replica reports."""
    return observe_replica(target, client, labels, Deadline(seconds).remaining)


def check_certificate(target: str, tls: seq2sum.TLS, seconds: float) -> Certificate:
    """Returns the certificate that a replica presents."""
    return read_certificate(target, tls, Deadline(seconds).remaining)


def check_answers(
    client: seq2sum.ModelClient, label: str, questions: Sequence[GoldenRequest], seconds: float
) -> list[Call]:
    """Sends golden questions to a label, one after the other, until a call fails."""
    deadline, calls = Deadline(seconds), []
    for request in questions:
        calls.append(_call(client, label, request, deadline.remaining()))
        if calls[-1].code != OK:
            break
    return calls


def _call(client: seq2sum.ModelClient, label: str, request: GoldenRequest, timeout: float) -> Call:
    code, rejected = OK, False
    start = time.perf_counter()
    try:
        found = check_one(client, request, label=label, timeout=timeout)
        result, rejected = str(found), bool(found.error)
    except seq2sum.CallError as error:
        code, result = error.code.name, error.details
    seconds = time.perf_counter() - start
    return Call(golden.inputs_text(request), "", code, seconds, result, rejected)
