"""Gate `memory`: memory of the servers while both versions are loaded.

Prometheus is the only source, and only the operator knows the name of the metric. The policy
therefore holds the query; without a query the gate is skipped.
"""

from __future__ import annotations

import math

from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.formatting import megabytes, sentence, times
from seq2sum_serving.gates.measurement import Measurement, Value
from seq2sum_serving.gates.policy import MemoryPolicy
from seq2sum_serving.gates.quantile import ratio

MEGABYTE = 1_000_000
ADVICE = "give the servers more memory, retire a version, or publish a smaller one"


def judge(before: float | None, after: float | None, policy: MemoryPolicy) -> Measurement:
    """Judges the memory of the servers, in bytes as the policy's query returned it.

    Args:
        before: Memory before the version was loaded; None if unknown.
        after: Memory now; None if unknown.
        policy: The limits.
    """
    before, after = _known(before), _known(after)
    values: dict[str, Value] = {"bytes_before": before, "bytes": after}
    if after is None:
        return _unknown(policy, values)
    problems = []
    if 0 < policy.max_megabytes * MEGABYTE < after:
        problems.append(
            f"the servers take {megabytes(after)}, and memory.max_megabytes is "
            f"{policy.max_megabytes:,.12g}"
        )
    growth = None if before is None else ratio(after, before)
    if growth is not None:
        values["growth"] = round(growth, 3)
        if growth > policy.max_growth:
            problems.append(
                f"the servers take {megabytes(after)}, {times(growth)} the "
                f"{megabytes(before or 0)} before the load, and memory.max_growth is "
                f"{policy.max_growth:g}"
            )
    if problems:
        message = sentence("; ".join(problems), ADVICE)
        return Measurement("memory", Verdict.FAILED, message, values)
    if growth is not None:
        message = f"{megabytes(after)}, {times(growth)} the memory before the load"
        return Measurement("memory", Verdict.SUCCESSFUL, message, values)
    message = f"{megabytes(after)}; memory before the load is unknown"
    if policy.max_megabytes:
        return Measurement("memory", Verdict.SUCCESSFUL, message, values)
    message += ": nothing to compare with. Run it again, or set memory.max_megabytes"
    return Measurement("memory", Verdict.SKIPPED, message, values)


def _unknown(policy: MemoryPolicy, values: dict[str, Value]) -> Measurement:
    if not policy.query:
        message = (
            "not measured: to judge it, set query in [memory] of the policy file (PromQL that "
            "returns the bytes of the servers), and pass --prometheus"
        )
        return Measurement("memory", Verdict.SKIPPED, message, values)
    message = (
        "Prometheus returns nothing for memory.query: check that --prometheus is given, that it "
        "scrapes the servers' memory, and the names and labels in the query"
    )
    # If there is a limit, a person has to confirm that the servers stay below it.
    verdict = Verdict.INCONCLUSIVE if policy.max_megabytes else Verdict.ERROR
    return Measurement("memory", verdict, message, values)


def _known(value: float | None) -> float | None:
    """Returns None for values that cannot be the memory of a process."""
    return value if value is not None and math.isfinite(value) and value > 0 else None
