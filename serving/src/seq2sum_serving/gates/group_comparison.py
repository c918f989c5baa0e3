"""Gates `errors (metrics)`, `latency (metrics)`, `batch queue` and `load time`.

TensorFlow Serving's metrics know models, not versions. The servers of a candidate group get their
calls for the candidate, so their metrics are the candidate's, and are compared with those of the
stable group over the same seconds: of all callers, and of calls that a router copies.

Probes of the other gates are among the calls of both groups, but are a larger part of those to the
candidate. Errors are therefore judged without them, and latencies only where callers make most
calls; gate `latency (live)` compares the probes.
"""

from __future__ import annotations

from collections.abc import Mapping

from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.error_rate import allowed_errors
from seq2sum_serving.gates.formatting import milliseconds, number, percent, sentence, times
from seq2sum_serving.gates.group_metrics import GroupMetrics
from seq2sum_serving.gates.measurement import Measurement, Value
from seq2sum_serving.gates.policy import GatePolicy
from seq2sum_serving.gates.quantile import ratio

ERRORS, LATENCY, QUEUE, LOAD = "errors (metrics)", "latency (metrics)", "batch queue", "load time"
GATES = (ERRORS, LATENCY, QUEUE, LOAD)

CHECK_LOGS = "keep traffic on stable, and look for the cause in the logs of the candidate group"
FASTER = (
    "keep traffic on stable; give the candidate group as much CPU as the stable group, or publish "
    "a faster version under a new number"
)
MORE_CALLS = "bake longer (traffic.bake), take larger steps (traffic.steps), or mirror calls"
CHECK_SCRAPES = "look at the targets of Prometheus, and run it again"


def judge(stable: GroupMetrics, candidate: GroupMetrics, policy: GatePolicy) -> list[Measurement]:
    """Judges the four gates, which are all skipped if Prometheus does not know a group. Pure.

    Args:
        stable: The servers that callers reach.
        candidate: The candidate group.
        policy: The limits.
    """
    groups = {"stable": stable, "candidate": candidate}
    if unknown := [name for name, group in groups.items() if not group.servers]:
        [name, *_] = unknown
        message = (
            f"Prometheus has no servers of the {name} group: check that it scrapes them, and "
            f"{name} in [metrics] of the policy file ({getattr(policy.metrics, name)})"
        )
        return [Measurement(gate, Verdict.SKIPPED, message) for gate in GATES]
    return [
        _errors(stable, candidate, policy),
        _latency(stable, candidate, policy),
        _queue(stable, candidate, policy),
        _load(stable, candidate, policy),
    ]


def _errors(stable: GroupMetrics, candidate: GroupMetrics, policy: GatePolicy) -> Measurement:
    limit, needed = policy.live.max_error_share, policy.live.min_calls
    statuses = ", ".join(
        f"{number(count)} {status}" for status, count in sorted(candidate.errors.items()) if count
    )
    found = (
        f"{number(candidate.failed)} of {number(candidate.calls)} calls to the candidate group "
        f"failed{statuses and f' ({statuses})'}; stable group: {number(stable.failed)} of "
        f"{number(stable.calls)}"
    )
    if candidate.probes or stable.probes:
        found += f"; {candidate.probes:,} and {stable.probes:,} of the calls were probes"
    values: dict[str, Value] = {
        "calls": candidate.calls,
        "errors": candidate.failed,
        "statuses": statuses,
        "probes": candidate.probes,
        "stable_calls": stable.calls,
        "stable_errors": stable.failed,
        "stable_probes": stable.probes,
    }
    allowed = allowed_errors(
        candidate.caller_calls,
        limit,
        stable.caller_calls,
        stable.caller_errors,
        min_calls=needed,
    )
    if candidate.caller_errors > allowed:
        problem = (
            f"without probes {number(candidate.caller_errors)} of "
            f"{number(candidate.caller_calls)} failed, and at most {number(allowed)} may, given "
            f"live.max_error_share ({percent(limit)}) and the error rate of the stable group"
        )
        message = sentence(found, problem, CHECK_LOGS)
        return Measurement(ERRORS, Verdict.FAILED, message, values)
    if candidate.unscraped:
        found = (
            f"Prometheus did not reach {candidate.unscraped} of {candidate.servers} servers of "
            f"the candidate group; of the others, {found}"
        )
        return Measurement(ERRORS, Verdict.INCONCLUSIVE, sentence(found, CHECK_SCRAPES), values)
    if candidate.calls < needed:
        return _too_few(ERRORS, found, needed, values)
    return Measurement(ERRORS, Verdict.SUCCESSFUL, found, values)


def _latency(stable: GroupMetrics, candidate: GroupMetrics, policy: GatePolicy) -> Measurement:
    values: dict[str, Value] = {
        "p50_milliseconds": candidate.p50_milliseconds,
        "p99_milliseconds": candidate.p99_milliseconds,
        "stable_p50_milliseconds": stable.p50_milliseconds,
        "stable_p99_milliseconds": stable.p99_milliseconds,
    }
    needed = policy.live.min_calls
    for name, group in (("candidate", candidate), ("stable", stable)):
        if group.calls and group.is_mostly_probes:
            message = (
                f"{group.probes:,} of {number(group.calls)} calls to the {name} group were probes, "
                "which gate latency (live) compares"
            )
            return Measurement(LATENCY, Verdict.SKIPPED, message, values)
        if group.answered < needed:
            found = f"the {name} group answered {number(group.answered)} calls"
            return _too_few(LATENCY, found, needed, values)
    texts, problems = [], []
    for quantile, key, limit in (
        ("p50", "latency.max_p50_ratio", policy.latency.max_p50_ratio),
        ("p99", "live.max_p99_ratio", policy.live.max_p99_ratio),
    ):
        now, base = values[f"{quantile}_milliseconds"], values[f"stable_{quantile}_milliseconds"]
        if not isinstance(now, float) or not isinstance(base, float):
            message = f"Prometheus has no {quantile} of both groups: the step was too short"
            return Measurement(LATENCY, Verdict.SKIPPED, message, values)
        text = f"{quantile} {milliseconds(now / 1000)} ms (stable {milliseconds(base / 1000)} ms)"
        texts.append(text)
        if _is_above(now, base, limit, policy.latency.slack_milliseconds):
            problems.append(f"{text}: {times(now / base)}, and {key} is {limit:g}")
    return _result(LATENCY, texts, problems, values)


def _queue(stable: GroupMetrics, candidate: GroupMetrics, policy: GatePolicy) -> Measurement:
    now, base = candidate.queue_p99_milliseconds, stable.queue_p99_milliseconds
    values: dict[str, Value] = {
        "queue_p99_milliseconds": now,
        "stable_queue_p99_milliseconds": base,
    }
    if now is None or base is None:
        name = "candidate" if now is None else "stable"
        message = f"no call waited in a batch queue of the {name} group"
        return Measurement(QUEUE, Verdict.SKIPPED, message, values)
    needed, limit = policy.live.min_calls, policy.metrics.max_queue_ratio
    for name, group in (("candidate", candidate), ("stable", stable)):
        if group.queued < needed:
            found = f"{number(group.queued)} calls waited in a batch queue of the {name} group"
            return _too_few(QUEUE, found, needed, values)
    text = (
        f"p99 of the time in the batch queue {milliseconds(now / 1000)} ms "
        f"(stable {milliseconds(base / 1000)} ms)"
    )
    problems = []
    if _is_above(now, base, limit, policy.latency.slack_milliseconds):
        problems.append(f"{text}: {times(now / base)}, and metrics.max_queue_ratio is {limit:g}")
    return _result(QUEUE, [text], problems, values)


def _load(stable: GroupMetrics, candidate: GroupMetrics, policy: GatePolicy) -> Measurement:
    now, base, limit = candidate.load_seconds, stable.load_seconds, policy.metrics.max_load_ratio
    values: dict[str, Value] = {"load_seconds": now, "stable_load_seconds": base}
    if now is None or base is None:
        name = "candidate" if now is None else "stable"
        message = f"Prometheus has no time of a load of the {name} version"
        return Measurement(LOAD, Verdict.SKIPPED, message, values)
    text = f"a load of the version takes {now:,.3g} s (stable {base:,.3g} s)"
    problems = []
    if _is_above(now, base, limit, policy.metrics.load_slack_seconds):
        problems.append(f"{text}: {times(now / base)}, and metrics.max_load_ratio is {limit:g}")
    return _result(LOAD, [text], problems, values)


def _is_above(now: float, base: float, limit: float, slack: float) -> bool:
    """Returns whether a value is too large, compared with that of the stable group."""
    found = ratio(now, base)
    return found is not None and found > limit and now - base > slack


def _result(
    gate: str, found: list[str], problems: list[str], values: Mapping[str, Value]
) -> Measurement:
    if problems:
        return Measurement(gate, Verdict.FAILED, sentence("; ".join(problems), FASTER), values)
    return Measurement(gate, Verdict.SUCCESSFUL, sentence("; ".join(found)), values)


def _too_few(gate: str, found: str, needed: int, values: Mapping[str, Value]) -> Measurement:
    message = sentence(f"{found}, and live.min_calls is {needed:,}", MORE_CALLS)
    return Measurement(gate, Verdict.INCONCLUSIVE, message, values)
