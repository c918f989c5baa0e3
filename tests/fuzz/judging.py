"""Asks one server or two, and says what is wrong with the answers."""

from __future__ import annotations

from collections.abc import Sequence

from fuzz import comparison, intended, invariants, shrinking
from fuzz.books import Finding
from fuzz.inputs import Case, Input
from fuzz.invariants import Fault
from fuzz.replies import Reply
from fuzz.server import Server

Verdict = tuple[list[Fault], str]
"""What is wrong, and the intended difference that explains why nothing is."""


def ask(servers: Sequence[Server], question: Input) -> tuple[Reply, ...]:
    """The answer of each server."""
    due = invariants.due(question)
    return tuple(server.ask(question, due=due) for server in servers)


def judge(servers: Sequence[Server], question: Input, replies: Sequence[Reply]) -> Verdict:
    """By invariants if there is one server, by comparison if there are two."""
    if len(servers) == 1:
        return invariants.judge(question, replies[0]), ""
    if not comparison.differences(question, *replies):
        return [], ""
    if known := intended.recognized(question, *replies):
        return [], known.name
    again = ask(servers, question)
    if any(comparison.differences(question, *both) for both in zip(replies, again, strict=True)):
        return [], "answers that vary from call to call"
    found = comparison.differences(question, *again)
    return [Fault(f"differs in {one.partition(': ')[0]}", one) for one in found[:1]], ""


def reduced(servers: Sequence[Server], case: Case, fault: Fault) -> Finding:
    """A finding with the smallest input that still shows the same kind of fault."""
    kind = Finding(case, fault).key

    def shown(question: Input) -> Finding | None:
        replies = ask(servers, question)
        faults, _ = judge(servers, question, replies)
        found = (Finding(case, one, question, replies) for one in faults)
        return next((one for one in found if one.key == kind), None)

    minimal = shrinking.smallest(case.input, lambda question: shown(question) is not None)
    return shown(minimal) or Finding(case, fault, case.input)
