"""The gate `memory`: what the servers take with both versions loaded.

Nobody but Prometheus knows, and nobody but the operator knows under which name. So the policy
holds the query; without one the gate stops nothing, and says how to make it known.
"""

from __future__ import annotations

import math

from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.measurement import Measurement, Value
from seq2sum_serving.gates.policy import MemoryPolicy
from seq2sum_serving.gates.quantile import ratio
from seq2sum_serving.gates.wording import megabytes, sentence, times

MEGABYTE = 1_000_000
ADVICE = "give the servers more memory, retire a version, or publish a smaller one"


def judge(before: float | None, after: float | None, policy: MemoryPolicy) -> Measurement:
    """By the bytes that the policy's query gave.

    Args:
        before: Before the version was loaded; None if that is not known.
        after: Now; None if that is not known.
        policy: The policy.
    """
    before, after = _known(before), _known(after)
    figures: dict[str, Value] = {"bytes_before": before, "bytes": after}
    if after is None:
        if not policy.query:
            text = (
                "not looked at: to have it judged, give [memory] query in the policy file (PromQL "
                "that gives the servers' bytes), and --prometheus"
            )
            return Measurement("memory", Verdict.SKIPPED, text, figures)
        text = (
            "Prometheus gives nothing for memory.query: see that --prometheus is given, that it "
            "scrapes the servers' memory, and that the query's names and labels are right"
        )
        # A limit that was set is meant: without a figure a person has to say that it holds.
        insists = policy.most_megabytes > 0
        return Measurement(
            "memory", Verdict.INCONCLUSIVE if insists else Verdict.SKIPPED, text, figures
        )
    problems = []
    if 0 < policy.most_megabytes * MEGABYTE < after:
        problems.append(
            f"the servers take {megabytes(after)}, and memory.most_megabytes is "
            f"{policy.most_megabytes:,.12g}"
        )
    growth = None if before is None else ratio(after, before)
    if growth is not None:
        figures["growth"] = round(growth, 3)
        if growth > policy.growth:
            problems.append(
                f"the servers take {megabytes(after)}, {times(growth)} the "
                f"{megabytes(before or 0)} before the load, and memory.growth is {policy.growth:g}"
            )
    if problems:
        return Measurement("memory", Verdict.FAILED, sentence("; ".join(problems), ADVICE), figures)
    beside = (
        "not known before the load" if growth is None else f"{times(growth)} as before the load"
    )
    if growth is None and not policy.most_megabytes:
        text = (
            f"{megabytes(after)}, {beside}: nothing to compare with. Run it again, or set "
            "memory.most_megabytes"
        )
        return Measurement("memory", Verdict.SKIPPED, text, figures)
    return Measurement("memory", Verdict.SUCCESSFUL, f"{megabytes(after)}, {beside}", figures)


def _known(value: float | None) -> float | None:
    """Without what cannot be: a process takes some memory."""
    return value if value is not None and math.isfinite(value) and value > 0 else None
