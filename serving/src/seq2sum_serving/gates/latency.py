"""The gate `latency`: how long calls take, beside the stable version's in the same minutes.

Both versions are asked in turns, the same questions, so that whatever else the machine does hits
both alike. Quantiles are by nearest rank. A version that is too slow fails; measurements that did
not come about, by no fault of the version alone, leave the gate open.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from seq2sum import CallError, UnexpectedResponse

from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.measurement import Measurement, Value
from seq2sum_serving.gates.policy import LatencyPolicy
from seq2sum_serving.gates.quantile import MEDIAN, P99, quantile, ratio
from seq2sum_serving.gates.wording import milliseconds, one_line, sentence, times

CANDIDATE = "candidate"
STABLE = "stable"
MOST_ERRORS = 5
"""Failed calls of one side at one number of rows, after which it is not asked any more: each may
have waited for its whole deadline."""

Ask = Callable[[list[bytes]], object]
"""Asks these questions in one call."""
Progress = Callable[[int, int], None]
"""Is told how many calls are done, and of how many."""


@dataclass(slots=True)
class Calls:
    """The calls of one side with one number of rows."""

    seconds: list[float] = field(default_factory=list)
    """How long each took that was answered; while measuring, warm-up calls too."""
    errors: int = 0
    """How many failed."""
    first_error: str = ""
    """Why the first of them did."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What was measured: by the number of rows, without warm-up calls."""

    candidate: Mapping[int, Calls]
    """The version that is to get traffic."""
    stable: Mapping[int, Calls] = field(default_factory=dict)
    """Empty if there is no stable version."""


def measure(
    ask: Mapping[str, Ask],
    questions: Sequence[bytes],
    policy: LatencyPolicy,
    clock: Callable[[], float] = time.perf_counter,
    progress: Progress | None = None,
) -> Samples:
    """Asks both sides in turns, and takes the time; a call that fails is counted, not raised.

    Args:
        ask: `candidate`, and `stable` if there is one.
        questions: They are gone through again and again.
        policy: The numbers of calls and rows.
        clock: Seconds.
        progress: Called after every turn.
    """
    wanted = policy.warm_up + policy.samples
    every = len(policy.rows) * len(ask) * wanted
    done = 0
    measured: dict[str, dict[int, Calls]] = {side: {} for side in ask}
    for rows in policy.rows:
        sides = {side: Calls() for side in ask}
        batches = _batches(questions, rows)
        order = list(ask)
        while going := [side for side in order if _goes_on(sides[side], wanted)]:
            batch = next(batches)
            for side in going:
                _call(ask[side], batch, sides[side], clock)
            order.reverse()  # no side always comes first
            if progress is not None:
                progress(done + sum(len(calls.seconds) for calls in sides.values()), every)
        done += len(ask) * wanted
        for side, calls in sides.items():
            del calls.seconds[: policy.warm_up]
            measured[side][rows] = calls
    return Samples(measured[CANDIDATE], measured.get(STABLE, {}))


def _goes_on(calls: Calls, wanted: int) -> bool:
    return len(calls.seconds) < wanted and calls.errors < MOST_ERRORS


def _call(ask: Ask, batch: list[bytes], calls: Calls, clock: Callable[[], float]) -> None:
    begin = clock()
    try:
        ask(batch)
    except (CallError, UnexpectedResponse) as error:
        calls.errors += 1
        calls.first_error = calls.first_error or one_line(str(error))
    else:
        calls.seconds.append(clock() - begin)


def _batches(questions: Sequence[bytes], rows: int) -> Iterator[list[bytes]]:
    """Endlessly the next so many questions, from the beginning again after the last."""
    begin = 0
    while True:
        yield [questions[(begin + row) % len(questions)] for row in range(rows)]
        begin = (begin + rows) % len(questions)


def judge(samples: Samples, policy: LatencyPolicy) -> Measurement:
    """The gate; each number of rows for itself, and the worst counts."""
    found, problems, open_questions = [], [], []
    figures: dict[str, Value] = {}
    for rows in policy.rows:
        candidate = samples.candidate.get(rows, Calls())
        stable = samples.stable.get(rows, Calls()) if samples.stable else None
        figures |= _figures(rows, candidate, stable)
        short = _short(candidate, stable, policy.samples)
        if short and candidate.errors and (stable is None or not stable.errors):
            problems.append(f"{_with(rows)} {short}")
        elif short:
            open_questions.append(f"{_with(rows)} {short}")
        else:
            found.append(_found(rows, candidate, stable))
            problems += _problems(rows, candidate, stable, policy)
    beside = "" if samples.stable else "no stable version to compare with"
    if problems:
        text = sentence(
            "; ".join(problems),
            "if the machine was busy with something else, run it again; if not, publish a "
            "quicker version under a new number, or allow more in the policy file",
        )
        return Measurement("latency", Verdict.FAILED, text, figures)
    if open_questions:
        text = sentence("; ".join(open_questions), "see that the servers answer, and run it again")
        return Measurement("latency", Verdict.INCONCLUSIVE, text, figures)
    return Measurement(
        "latency", Verdict.SUCCESSFUL, "; ".join(filter(None, [*found, beside])), figures
    )


def _short(candidate: Calls, stable: Calls | None, wanted: int) -> str:
    """Which side has too few samples, and why; empty if none has."""
    for name, calls in ((CANDIDATE, candidate), (STABLE, stable)):
        if calls is not None and len(calls.seconds) < wanted:
            why = f": {calls.errors} failed, the first with: {calls.first_error}"
            return (
                f"{name} answered {len(calls.seconds)} of {wanted} calls (latency.samples)"
                f"{why if calls.errors else ''}"
            )
    return ""


def _problems(
    rows: int, candidate: Calls, stable: Calls | None, policy: LatencyPolicy
) -> list[str]:
    problems = []
    slowest = quantile(candidate.seconds, P99)
    if 1000 * slowest > policy.p99_milliseconds:
        problems.append(
            f"{_with(rows)} p99 is {milliseconds(slowest)} ms, and latency.p99_milliseconds is "
            f"{policy.p99_milliseconds:g}"
        )
    if stable is None:
        return problems
    for name, share, most in (
        ("p50", MEDIAN, policy.p50_ratio),
        ("p99", P99, policy.p99_ratio),
    ):
        now, before = quantile(candidate.seconds, share), quantile(stable.seconds, share)
        more = ratio(now, before)
        slack = policy.slack_milliseconds / 1000
        if more is not None and more > most and now - before > slack:
            problems.append(
                f"{_with(rows)} {name} is {milliseconds(now)} ms, {times(more)} stable's "
                f"{milliseconds(before)} ms, and latency.{name}_ratio is {most:g}"
            )
    return problems


def _found(rows: int, candidate: Calls, stable: Calls | None) -> str:
    def both(calls: Calls) -> str:
        return " / ".join(milliseconds(quantile(calls.seconds, share)) for share in (MEDIAN, P99))

    beside = "" if stable is None else f" (stable {both(stable)} ms)"
    return f"{_with(rows)} p50 / p99 {both(candidate)} ms{beside}"


def _figures(rows: int, candidate: Calls, stable: Calls | None) -> dict[str, Value]:
    figures: dict[str, Value] = {}
    for prefix, calls in (("", candidate), ("stable_", stable)):
        if calls is None:
            continue
        figures[f"{prefix}samples_{rows}_rows"] = len(calls.seconds)
        figures[f"{prefix}errors_{rows}_rows"] = calls.errors
        for name, share in (("p50", MEDIAN), ("p99", P99)):
            if calls.seconds:
                value = 1000 * quantile(calls.seconds, share)
                figures[f"{prefix}{name}_milliseconds_{rows}_rows"] = round(value, 3)
    if stable is not None and candidate.seconds and stable.seconds:
        for name, share in (("p50", MEDIAN), ("p99", P99)):
            more = ratio(quantile(candidate.seconds, share), quantile(stable.seconds, share))
            figures[f"{name}_ratio_{rows}_rows"] = None if more is None else round(more, 3)
    return figures


def _with(rows: int) -> str:
    return f"with {rows} {'row' if rows == 1 else 'rows'} a call:"
