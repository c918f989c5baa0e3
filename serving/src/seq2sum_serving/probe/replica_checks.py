"""Checks of one replica, each with a deadline: its state, its answers, its certificate."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import seq2sum
from seq2sum import golden
from seq2sum.golden import GoldenRequest

from seq2sum_serving.deployment.plain_text import inputs_text
from seq2sum_serving.deployment.replicas import observe_replica
from seq2sum_serving.deployment.state import Replica
from seq2sum_serving.probe.certificate import read_certificate
from seq2sum_serving.probe.observation import OK, Call, Certificate

SHORTEST_TIMEOUT = 0.001
"""Seconds that a call gets after the deadline, so that it fails; 0 makes sockets non-blocking."""
UNREADABLE = "UNKNOWN"
"""The status code that gRPC gives to a reply that cannot be read."""


@dataclass(frozen=True, slots=True)
class LabelRequests:
    """The golden requests for a label in one round."""

    version: int = 0
    """The version that the label should point to."""
    requests: Sequence[GoldenRequest] = ()
    """Empty if there are none: then one GetModelMetadata is called instead."""
    owner: int = 0
    """The version that the requests belong to: the same, or one in service before it."""


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
    client: seq2sum.ModelClient, label: str, golden_requests: LabelRequests, seconds: float
) -> Sequence[Call]:
    """Sends golden requests to a label, one after the other, until a call fails."""
    deadline, calls = Deadline(seconds), []
    if not golden_requests.requests:
        return [_describe(client, label, deadline.remaining())]
    for request in golden_requests.requests:
        calls.append(_predict(client, label, request, golden_requests, deadline))
        if calls[-1].code != OK:
            break
    return calls


def _describe(client: seq2sum.ModelClient, label: str, timeout: float) -> Call:
    start = time.perf_counter()
    code, error = OK, ""
    try:
        client.describe(label=label, timeout=timeout)
    except seq2sum.Seq2SumError as failed:
        code, error = _failure(failed)
    return Call(code, time.perf_counter() - start, error)


def _predict(
    client: seq2sum.ModelClient,
    label: str,
    request: GoldenRequest,
    golden_requests: LabelRequests,
    deadline: Deadline,
) -> Call:
    """Sends a golden request.

    While a label moves, another version than the desired one may answer: its outputs are not
    compared.
    """
    start = time.perf_counter()
    try:
        prediction = client.predict(
            request.inputs,
            signature=request.signature_name,
            outputs=list(request.expect),
            label=label,
            timeout=deadline.remaining(),
        )
    except seq2sum.Seq2SumError as failed:
        code, error = _failure(failed)
        return Call(code, time.perf_counter() - start, error)
    seconds = time.perf_counter() - start
    version, owner = golden_requests.version, golden_requests.owner
    if prediction.version != version:
        return Call(OK, seconds)
    if not (found := golden.differences(request, prediction)):
        return Call(OK, seconds, compared=True)
    shown = inputs_text(request.inputs) + (f" of version {owner}" if owner != version else "")
    return Call(OK, seconds, "", True, shown, "; ".join(found))


def _failure(error: seq2sum.Seq2SumError) -> tuple[str, str]:
    """Returns the status code and the details of a failed call."""
    if isinstance(error, seq2sum.CallError):
        return error.code.name, error.details
    return UNREADABLE, str(error)
