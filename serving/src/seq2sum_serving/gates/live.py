"""The gates `errors`, `answers` and `live latency`: while a part of the traffic is the canary's.

ProbeStats know which version answered, and whether it was right; Prometheus knows every caller's
calls, and cannot tell the versions apart. So neither stands in for the other: where both are
there, both are judged, and the worse counts. What has failed for sure fails at once, too little
seen or not; so a bake can be judged while it lasts, and ended early.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.deployment.state import CANARY, STABLE
from seq2sum_serving.gates.measurement import Measurement, Value
from seq2sum_serving.gates.policy import GatePolicy
from seq2sum_serving.gates.quantile import P99, quantile, ratio
from seq2sum_serving.gates.wording import milliseconds, number, one_line, percent, sentence, times

SPREAD = 3.0
"""Standard deviations that a count of errors may be above what it was before. Without them a
caller who always sends some nonsense would make every other bake fail."""
DIGITS = 9
"""To which limits that were computed are rounded: 1 - 0.9 is a little less than 0.1."""

LOGS = "keep traffic on stable, and see in the servers' logs why"
NEWER = "keep traffic on stable, and publish a better version under a new number"
LONGER = "bake longer (traffic.bake), or probe more often (live.probes_per_second)"


@dataclass(slots=True)
class ProbeStats:
    """What was seen of one version."""

    errors: int = 0
    """Calls that failed."""
    first_error: str = ""
    """Why the first of them did."""
    wrong: int = 0
    """Calls that were answered, and wrongly."""
    first_wrong: str = ""
    """The first wrong answer: `53+42 = 96`."""
    seconds: list[float] = field(default_factory=list)
    """How long each call took that was answered."""

    @property
    def calls(self) -> int:
        """All of them."""
        return self.errors + len(self.seconds)


@dataclass(frozen=True, slots=True)
class LiveMetrics:
    """What Prometheus knows of the model: every caller's calls, all versions together.

    It estimates, so counts need not be whole. None stands for what it does not know.
    """

    calls: float
    """While baking."""
    errors: float
    """How many of them failed."""
    calls_before: float | None = None
    """In as long a time before."""
    errors_before: float | None = None
    """How many of them failed."""
    p99_milliseconds: float | None = None
    """While baking, of calls that were answered."""
    p99_milliseconds_before: float | None = None
    """The same before."""


class ProbeResults:
    """What probes saw of each version. Threads may add to it while another one reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._probes = {CANARY: ProbeStats(), STABLE: ProbeStats()}

    def __str__(self) -> str:
        """All of it in a line, for whoever watches."""
        return "; ".join(
            f"{label}: {probes.calls:,} probes, {probes.errors:,} failed, {probes.wrong:,} wrong"
            for label, probes in ((label, self.probes(label)) for label in (CANARY, STABLE))
        )

    def call(self, label: str, seconds: float, *, right: bool, said: str = "") -> None:
        """Adds a call that was answered.

        Args:
            label: `canary` or `stable`.
            seconds: How long it took.
            right: Whether the answer was.
            said: Question and answer, for an operator: `53+42 = 96`.
        """
        with self._lock:
            probes = self._probes[label]
            probes.seconds.append(seconds)
            if not right:
                probes.wrong += 1
                probes.first_wrong = probes.first_wrong or one_line(said)

    def error(self, label: str, why: str = "") -> None:
        """Adds a call that failed, with what the server or the client said of it."""
        with self._lock:
            probes = self._probes[label]
            probes.errors += 1
            probes.first_error = probes.first_error or one_line(why)

    def probes(self, label: str) -> ProbeStats:
        """What was seen so far of the version with this label."""
        with self._lock:
            probes = self._probes[label]
            return replace(probes, seconds=list(probes.seconds))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one of the two who look says about a gate."""

    verdict: Verdict
    """By itself."""
    text: str
    """What was seen."""


def judge(
    seen: ProbeResults, policy: GatePolicy, metrics: LiveMetrics | None = None
) -> list[Measurement]:
    """The three gates.

    Args:
        seen: What probes saw since the canary got traffic.
        policy: The limits.
        metrics: What Prometheus says; None without it.
    """
    canary, stable = seen.probes(CANARY), seen.probes(STABLE)
    return [
        _errors(canary, stable, policy, metrics),
        _answers(canary, policy),
        _latency(canary, stable, policy, metrics),
    ]


def _errors(
    canary: ProbeStats, stable: ProbeStats, policy: GatePolicy, metrics: LiveMetrics | None
) -> Measurement:
    evidence = [_failed_probes(canary, stable, policy)]
    figures: dict[str, Value] = {
        "probes": canary.calls,
        "probe_errors": canary.errors,
        "stable_probes": stable.calls,
        "stable_probe_errors": stable.errors,
    }
    if metrics is not None:
        evidence.append(_failed_calls(metrics, policy))
        figures |= {
            "live_calls": _known(metrics.calls),
            "live_errors": _known(metrics.errors),
            "live_calls_before": _known(metrics.calls_before),
            "live_errors_before": _known(metrics.errors_before),
        }
    return _together("errors", evidence, figures, LOGS)


def _failed_probes(canary: ProbeStats, stable: ProbeStats, policy: GatePolicy) -> Evidence:
    most, fewest = policy.live.most_errors, policy.live.fewest
    found = f"{canary.errors:,} of {canary.calls:,} probes of the canary failed"
    if canary.errors / max(canary.calls, fewest) > most:
        why = f", the first with: {canary.first_error}" if canary.first_error else ""
        beside = f" (of stable {stable.errors:,} of {stable.calls:,})" if stable.calls else ""
        limit = f"; live.most_errors is {percent(most)}"
        return Evidence(Verdict.FAILED, f"{found}{beside}{limit}{why}")
    return _enough(canary.calls, fewest, found)


def _failed_calls(metrics: LiveMetrics, policy: GatePolicy) -> Evidence:
    most, fewest = policy.live.most_errors, policy.live.fewest
    calls, errors = _known(metrics.calls) or 0.0, _known(metrics.errors) or 0.0
    calls_before, errors_before = _known(metrics.calls_before), _known(metrics.errors_before)
    judged = max(calls, fewest)
    usual = judged * (errors_before or 0.0) / calls_before if calls_before else 0.0
    allowed = round(judged * most + usual + SPREAD * math.sqrt(usual), DIGITS)
    found = f"{number(errors)} of {number(calls)} live calls failed"
    if errors > allowed:
        limit = (
            f"; at most {number(allowed)} may, by live.most_errors ({percent(most)}) and by what "
            f"failed before"
        )
        return Evidence(Verdict.FAILED, found + limit)
    return _enough(calls, fewest, found)


def _answers(canary: ProbeStats, policy: GatePolicy) -> Measurement:
    fewest, answered = policy.live.fewest, len(canary.seconds)
    most = round(1 - policy.golden.floor + policy.live.most_wrong, DIGITS)
    found = f"{canary.wrong:,} of {answered:,} answers of the canary to probes were wrong"
    if canary.wrong / max(answered, fewest) > most:
        limit = f"; at most {percent(most)} may be, by golden.floor and live.most_wrong"
        first = f"; the first: {canary.first_wrong}" if canary.first_wrong else ""
        evidence = Evidence(Verdict.FAILED, found + limit + first)
    else:
        evidence = _enough(answered, fewest, found)
    figures: dict[str, Value] = {"answers": answered, "wrong": canary.wrong}
    return _together("answers", [evidence], figures, NEWER)


def _latency(
    canary: ProbeStats, stable: ProbeStats, policy: GatePolicy, metrics: LiveMetrics | None
) -> Measurement:
    evidence = [_slow_probes(canary, stable, policy)]
    figures: dict[str, Value] = {
        "p99_milliseconds": _p99(canary.seconds),
        "stable_p99_milliseconds": _p99(stable.seconds),
    }
    if metrics is not None:
        evidence.append(_slow_calls(metrics, policy))
        figures |= {
            "live_p99_milliseconds": _known(metrics.p99_milliseconds),
            "live_p99_milliseconds_before": _known(metrics.p99_milliseconds_before),
        }
    return _together("live latency", evidence, figures, NEWER)


def _slow_probes(canary: ProbeStats, stable: ProbeStats, policy: GatePolicy) -> Evidence:
    fewest = policy.live.fewest
    if not stable.calls:
        return Evidence(Verdict.SKIPPED, "no stable version is probed to compare with")
    for name, probes in ((CANARY, canary), (STABLE, stable)):
        if len(probes.seconds) < fewest:
            found = f"{len(probes.seconds):,} probes of {name} answered"
            return _enough(len(probes.seconds), fewest, found)
    now, before = quantile(canary.seconds, P99), quantile(stable.seconds, P99)
    found = f"p99 of probes {milliseconds(now)} ms (stable {milliseconds(before)} ms)"
    return _times_as_long(1000 * now, 1000 * before, found, policy)


def _slow_calls(metrics: LiveMetrics, policy: GatePolicy) -> Evidence:
    now = _known(metrics.p99_milliseconds)
    before = _known(metrics.p99_milliseconds_before)
    if now is None or before is None:
        return Evidence(Verdict.SKIPPED, "Prometheus knows no p99 to compare with")
    found = (
        f"p99 of live calls {milliseconds(now / 1000)} ms (before {milliseconds(before / 1000)} ms)"
    )
    calls = min(_known(metrics.calls) or 0.0, _known(metrics.calls_before) or 0.0)
    if calls < policy.live.fewest:
        return _enough(calls, policy.live.fewest, f"{number(calls)} live calls to compare")
    return _times_as_long(now, before, found, policy)


def _times_as_long(now: float, before: float, found: str, policy: GatePolicy) -> Evidence:
    """Both in milliseconds."""
    most, more = policy.live.p99_ratio, ratio(now, before)
    if more is not None and more > most and now - before > policy.latency.slack_milliseconds:
        limit = f": {times(more)}, and live.p99_ratio is {most:g}"
        return Evidence(Verdict.FAILED, found + limit)
    return Evidence(Verdict.SUCCESSFUL, found)


def _enough(seen: float, fewest: int, found: str) -> Evidence:
    """For what did not fail: whether it was enough to say that it passed."""
    if seen < fewest:
        return Evidence(Verdict.INCONCLUSIVE, f"{found}, and live.fewest is {fewest:,}")
    return Evidence(Verdict.SUCCESSFUL, found)


def _together(
    gate: str, evidence: Sequence[Evidence], figures: dict[str, Value], advice: str
) -> Measurement:
    """One that failed fails the gate; one that passed is enough where the other saw little."""
    order = (Verdict.FAILED, Verdict.SUCCESSFUL, Verdict.INCONCLUSIVE, Verdict.SKIPPED)
    verdict = min((entry.verdict for entry in evidence), key=order.index)
    said = [
        entry for entry in evidence if verdict is not Verdict.FAILED or entry.verdict is verdict
    ]
    advised = {Verdict.FAILED: advice, Verdict.INCONCLUSIVE: LONGER}.get(verdict, "")
    return Measurement(gate, verdict, sentence("; ".join(e.text for e in said), advised), figures)


def _p99(seconds: Sequence[float]) -> float | None:
    return round(1000 * quantile(seconds, P99), 3) if seconds else None


def _known(value: float | None) -> float | None:
    """Without what is no number."""
    return value if value is not None and math.isfinite(value) else None
