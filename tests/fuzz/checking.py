"""Sends an input to one server or two, and checks the replies."""

from __future__ import annotations

from collections.abc import Sequence

from fuzz import comparison, intended_differences, invariants, shrinking
from fuzz.findings import Finding
from fuzz.inputs import Input
from fuzz.invariants import Fault
from fuzz.replies import Reply
from fuzz.server import Server

VARYING_REPLIES = "replies that vary from call to call"


def send(servers: Sequence[Server], test_input: Input) -> tuple[Reply, ...]:
    """Returns the reply of each server."""
    expected = invariants.expected_replies(test_input)
    return tuple(server.send(test_input, expected_replies=expected) for server in servers)


def check(
    servers: Sequence[Server], test_input: Input, replies: Sequence[Reply]
) -> tuple[list[Fault], str]:
    """Checks the invariants of one server's reply, or compares the replies of two.

    Returns:
        The faults; and if replies differ without a fault, the reason: the name of an intended
        difference, or VARYING_REPLIES.
    """
    if len(servers) == 1:
        return invariants.check(test_input, replies[0]), ""
    if not comparison.differences(test_input, *replies):
        return [], ""
    if intended := intended_differences.recognize(test_input, *replies):
        return [], intended.name
    again = send(servers, test_input)
    if any(comparison.differences(test_input, *pair) for pair in zip(replies, again, strict=True)):
        return [], VARYING_REPLIES
    found = comparison.differences(test_input, *again)
    return [Fault(f"differs in {text.partition(': ')[0]}", text) for text in found[:1]], ""


def minimize(servers: Sequence[Server], finding: Finding) -> Finding:
    """Returns the finding with the smallest input that still shows the same kind of fault."""
    assert finding.case

    def reproduce(test_input: Input) -> Finding | None:
        replies = send(servers, test_input)
        faults, _ = check(servers, test_input, replies)
        found = (Finding(finding.case, fault, test_input, replies) for fault in faults)
        return next((candidate for candidate in found if candidate.key == finding.key), None)

    minimal = shrinking.minimize(finding.case.input, lambda smaller: bool(reproduce(smaller)))
    return reproduce(minimal) or Finding(finding.case, finding.fault, finding.case.input)
