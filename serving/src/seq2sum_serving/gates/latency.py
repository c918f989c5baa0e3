"""Gate `latency`: duration of calls, compared with the stable version's at the same time.

Both versions get the same inputs in turn, so that other load on the machine affects both alike.
A version that is too slow fails. With too few samples, the gate is inconclusive; but if only the
candidate's calls failed, it fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from seq2sum import Seq2SumError
from seq2sum.golden import GoldenRequest

from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.deployment.plain_text import one_line
from seq2sum_serving.gates.batches import AS_RECORDED, Batch, Batches, Signatures
from seq2sum_serving.gates.formatting import milliseconds, sentence, times
from seq2sum_serving.gates.measurement import Measurement, Value
from seq2sum_serving.gates.policy import LatencyPolicy
from seq2sum_serving.gates.quantile import MEDIAN, P99, quantile, ratio

CANDIDATE = "candidate"
STABLE = "stable"
MAX_ERRORS = 5
"""Failed calls after which a side is not called again with the same number of rows: each of them
may have waited for its whole deadline."""
QUANTILES = {"p50": MEDIAN, "p99": P99}

Call = Callable[[Batch], object]
"""Sends these inputs in one call."""
Progress = Callable[[int, int], None]
"""Receives the number of completed calls, and of all calls."""


@dataclass(slots=True)
class Calls:
    """Calls to one version with one number of rows."""

    seconds: list[float] = field(default_factory=list)
    """Durations of successful calls; while measuring, of warm-up calls too."""
    errors: int = 0
    """Number of failed calls."""
    first_error: str = ""


@dataclass(frozen=True, slots=True)
class Samples:
    """Measured calls by number of rows, or `AS_RECORDED`, without warm-up calls."""

    candidate: Mapping[int, Calls]
    """Calls to the candidate."""
    stable: Mapping[int, Calls] = field(default_factory=dict)
    """Calls to the stable version; empty without one."""


def measure(
    sides: Mapping[str, Call],
    requests: Sequence[GoldenRequest],
    policy: LatencyPolicy,
    clock: Callable[[], float] = time.perf_counter,
    progress: Progress | None = None,
    *,
    signatures: Sequence[Signatures] = (),
) -> Samples:
    """Calls both sides in turn, and measures how long that takes. Failed calls are counted.

    Args:
        sides: `candidate`, and `stable` if it exists.
        requests: Golden requests, whose inputs are sent in order, again and again.
        policy: The numbers of calls and rows.
        clock: Returns seconds.
        progress: Called after every turn.
        signatures: Those of both versions, by name: inputs of a fixed dimension 0 are not merged.
    """
    needed = policy.warm_up + policy.samples
    batches = Batches(requests, signatures)
    sizes = batches.sizes(policy.rows)
    total = len(sizes) * len(sides) * needed
    done = 0
    measured: dict[str, dict[int, Calls]] = {side: {} for side in sides}
    for rows in sizes:
        found = {side: Calls() for side in sides}
        endless = batches.of(rows)
        order = list(sides)
        while open_sides := [side for side in order if _needs_calls(found[side], needed)]:
            batch = next(endless)
            for side in open_sides:
                _call(sides[side], batch, found[side], clock)
            order.reverse()  # so that no side always comes first
            if progress is not None:
                progress(done + sum(len(calls.seconds) for calls in found.values()), total)
        done += len(sides) * needed
        for side, calls in found.items():
            del calls.seconds[: policy.warm_up]
            measured[side][rows] = calls
    return Samples(measured[CANDIDATE], measured.get(STABLE, {}))


def _needs_calls(calls: Calls, needed: int) -> bool:
    return len(calls.seconds) < needed and calls.errors < MAX_ERRORS


def _call(call: Call, batch: Batch, calls: Calls, clock: Callable[[], float]) -> None:
    start = clock()
    try:
        call(batch)
    except Seq2SumError as error:
        calls.errors += 1
        calls.first_error = calls.first_error or one_line(str(error))
    else:
        calls.seconds.append(clock() - start)


def judge(samples: Samples, policy: LatencyPolicy) -> Measurement:
    """Judges each number of rows separately; the worst result counts."""
    found, problems, inconclusive = [], [], []
    values: dict[str, Value] = {}
    as_recorded = AS_RECORDED in samples.candidate
    for rows in (AS_RECORDED,) if as_recorded else policy.rows:
        candidate = samples.candidate.get(rows, Calls())
        stable = samples.stable.get(rows, Calls()) if samples.stable else None
        values |= _values(rows, candidate, stable)
        missing = _missing_samples(candidate, stable, policy.samples)
        if missing and candidate.errors and (stable is None or not stable.errors):
            problems.append(f"{_with(rows)} {missing}")
        elif missing:
            inconclusive.append(f"{_with(rows)} {missing}")
        else:
            found.append(_found(rows, candidate, stable))
            problems += _problems(rows, candidate, stable, policy)
    if problems:
        message = sentence(
            "; ".join(problems),
            "if the machine was busy with something else, run it again; if not, publish a "
            "faster version under a new number, or raise the limit in the policy file",
        )
        return Measurement("latency", Verdict.FAILED, message, values)
    if inconclusive:
        message = sentence(
            "; ".join(inconclusive), "check that the servers respond, and run it again"
        )
        return Measurement("latency", Verdict.INCONCLUSIVE, message, values)
    if as_recorded:
        found.append(
            "the number of rows could not be varied: no golden request has inputs that all have "
            "the same dimension 0, of any size"
        )
    if not samples.stable:
        found.append("no stable version to compare with")
    return Measurement("latency", Verdict.SUCCESSFUL, "; ".join(found), values)


def _missing_samples(candidate: Calls, stable: Calls | None, needed: int) -> str:
    """Returns which side has too few samples, and why; empty if neither has."""
    for name, calls in ((CANDIDATE, candidate), (STABLE, stable)):
        if calls is not None and len(calls.seconds) < needed:
            why = f": {calls.errors} failed, the first with: {calls.first_error}"
            return (
                f"{name} answered {len(calls.seconds)} of {needed} calls (latency.samples)"
                f"{why if calls.errors else ''}"
            )
    return ""


def _problems(
    rows: int, candidate: Calls, stable: Calls | None, policy: LatencyPolicy
) -> list[str]:
    problems = []
    p99 = quantile(candidate.seconds, P99)
    if 1000 * p99 > policy.max_p99_milliseconds:
        problems.append(
            f"{_with(rows)} p99 is {milliseconds(p99)} ms, and latency.max_p99_milliseconds is "
            f"{policy.max_p99_milliseconds:g}"
        )
    if stable is None:
        return problems
    limits = {"p50": policy.max_p50_ratio, "p99": policy.max_p99_ratio}
    for name, share in QUANTILES.items():
        now, before = quantile(candidate.seconds, share), quantile(stable.seconds, share)
        found = ratio(now, before)
        slack = policy.slack_milliseconds / 1000
        if found is not None and found > limits[name] and now - before > slack:
            problems.append(
                f"{_with(rows)} {name} is {milliseconds(now)} ms, {times(found)} stable's "
                f"{milliseconds(before)} ms, and latency.max_{name}_ratio is {limits[name]:g}"
            )
    return problems


def _found(rows: int, candidate: Calls, stable: Calls | None) -> str:
    def both(calls: Calls) -> str:
        shares = QUANTILES.values()
        return " / ".join(milliseconds(quantile(calls.seconds, share)) for share in shares)

    compared = "" if stable is None else f" (stable {both(stable)} ms)"
    return f"{_with(rows)} p50 / p99 {both(candidate)} ms{compared}"


def _values(rows: int, candidate: Calls, stable: Calls | None) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for prefix, calls in (("", candidate), ("stable_", stable)):
        if calls is None:
            continue
        values[f"{prefix}samples_{rows}_rows"] = len(calls.seconds)
        values[f"{prefix}errors_{rows}_rows"] = calls.errors
        for name, share in QUANTILES.items():
            if calls.seconds:
                value = 1000 * quantile(calls.seconds, share)
                values[f"{prefix}{name}_milliseconds_{rows}_rows"] = round(value, 3)
    if stable is not None and candidate.seconds and stable.seconds:
        for name, share in QUANTILES.items():
            found = ratio(quantile(candidate.seconds, share), quantile(stable.seconds, share))
            values[f"{name}_ratio_{rows}_rows"] = None if found is None else round(found, 3)
    return values


def _with(rows: int) -> str:
    if rows == AS_RECORDED:
        return "each golden request as it is:"
    return f"with {rows} {'row' if rows == 1 else 'rows'} per call:"
