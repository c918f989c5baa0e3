"""Gate `memory`: memory of the servers while both versions are loaded.

Prometheus is the only source, and only the operator knows the name of the metric. The policy
therefore holds the queries; without a query the gate is skipped. Servers are compared with
themselves before the load. A candidate group is compared with the stable group: both have two
versions loaded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.formatting import megabytes, sentence, times
from seq2sum_serving.gates.measurement import Measurement, Value
from seq2sum_serving.gates.policy import MemoryPolicy
from seq2sum_serving.gates.quantile import ratio

MEGABYTE = 1_000_000
ADVICE = "give the servers more memory, retire a version, or publish a smaller one"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Words for both sides of a comparison, for messages."""

    servers: str
    """The servers that are judged."""
    base: str
    """Which memory they are compared with."""
    key: str
    """The key of the policy that has the query."""
    base_value: str
    """Name of the value that they are compared with."""


BEFORE = Comparison("the servers", "before the load", "query", "bytes_before")
GROUPS = Comparison(
    "the servers of the candidate group", "of the stable group", "candidate_query", "stable_bytes"
)


def judge(before: float | None, after: float | None, policy: MemoryPolicy) -> Measurement:
    """Judges the memory of the servers, in bytes as the policy's query returned it.

    Args:
        before: Memory before the version was loaded; None if unknown.
        after: Memory now; None if unknown.
        policy: The limits.
    """
    return _judge(before, after, policy, policy.query, BEFORE)


def judge_groups(
    stable: float | None, candidate: float | None, policy: MemoryPolicy
) -> Measurement:
    """Judges the memory of a candidate group, in bytes as the policy's queries returned it.

    Args:
        stable: Memory of the stable group now; None if unknown.
        candidate: Memory of the candidate group now; None if unknown.
        policy: The limits.
    """
    return _judge(stable, candidate, policy, policy.candidate_query, GROUPS)


def _judge(
    base: float | None, now: float | None, policy: MemoryPolicy, query: str, words: Comparison
) -> Measurement:
    base, now = _known(base), _known(now)
    values: dict[str, Value] = {words.base_value: base, "bytes": now}
    if now is None:
        return _unknown(policy, query, words, values)
    problems = []
    if 0 < policy.max_megabytes * MEGABYTE < now:
        problems.append(
            f"{words.servers} take {megabytes(now)}, and memory.max_megabytes is "
            f"{policy.max_megabytes:,.12g}"
        )
    growth = None if base is None else ratio(now, base)
    if growth is not None:
        values["growth"] = round(growth, 3)
        if growth > policy.max_growth:
            problems.append(
                f"{words.servers} take {megabytes(now)}, {times(growth)} the "
                f"{megabytes(base or 0)} {words.base}, and memory.max_growth is "
                f"{policy.max_growth:g}"
            )
    if problems:
        message = sentence("; ".join(problems), ADVICE)
        return Measurement("memory", Verdict.FAILED, message, values)
    if growth is not None:
        message = f"{megabytes(now)}, {times(growth)} the memory {words.base}"
        return Measurement("memory", Verdict.SUCCESSFUL, message, values)
    message = f"{megabytes(now)}; memory {words.base} is unknown"
    if policy.max_megabytes:
        return Measurement("memory", Verdict.SUCCESSFUL, message, values)
    message += ": nothing to compare with. Run it again, or set memory.max_megabytes"
    return Measurement("memory", Verdict.SKIPPED, message, values)


def _unknown(
    policy: MemoryPolicy, query: str, words: Comparison, values: dict[str, Value]
) -> Measurement:
    if not query:
        message = (
            f"not measured: to judge it, set {words.key} in [memory] of the policy file (PromQL "
            f"that returns the bytes of {words.servers}), and pass --prometheus"
        )
        return Measurement("memory", Verdict.SKIPPED, message, values)
    message = (
        f"Prometheus returns nothing for memory.{words.key}: check that --prometheus is given, "
        "that it scrapes the servers' memory, and the names and labels in the query"
    )
    # If there is a limit, a person has to confirm that the servers stay below it.
    verdict = Verdict.INCONCLUSIVE if policy.max_megabytes else Verdict.ERROR
    return Measurement("memory", verdict, message, values)


def _known(value: float | None) -> float | None:
    """Returns None for values that cannot be the memory of a process."""
    return value if value is not None and math.isfinite(value) and value > 0 else None
