"""Gates `golden` and `disagreement`: outputs of a version for its golden requests."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seq2sum import ModelClient, golden
from seq2sum.golden import GoldenRequest, GoldenResult, InvalidGoldenRequest

from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.deployment.model_store import EXTRA
from seq2sum_serving.deployment.plain_text import inputs_text, one_line
from seq2sum_serving.gates.formatting import number, percent, sentence
from seq2sum_serving.gates.measurement import Measurement, Value
from seq2sum_serving.gates.policy import GatePolicy, GoldenPolicy

GATE = "golden"
FILE = Path(EXTRA, golden.FILE_NAME)
"""In the folder of a version."""
MAX_EXAMPLES = 3
"""Wrong results in a message; more do not fit on a line."""
SENT_TOGETHER = 64
"""Requests after which `check` may stop."""
MAX_SECONDS = 10.0
"""For a version that fails anyway: wrong requests are sent again alone, which may take long."""
RECORD = (
    "`seq2sum-rollout golden record --from inputs.jsonl` writes one from the outputs of a loaded "
    "version"
)
TRAIN_AGAIN = "train and publish a better version under a new number"


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """The golden requests that a version is judged by."""

    requests: tuple[GoldenRequest, ...]
    note: str = ""
    """Whose requests they are, if not the version's own."""


def read(folder: Path) -> tuple[GoldenRequest, ...] | None:
    """Returns the golden requests in a version's folder; None if it has none.

    Raises:
        Failed: The file cannot be read, or is not valid.
    """
    path = folder / FILE
    try:
        return golden.read(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failed(f"cannot read the golden requests {path}: {error.strerror}") from error
    except InvalidGoldenRequest as error:
        raise Failed(
            f"invalid golden requests: {one_line(str(error))}; export the version again, or record "
            "them from the stable version: `seq2sum-rollout golden record --from inputs.jsonl "
            f"--out {shlex.quote(str(path))} --force`"
        ) from error


def missing() -> Measurement:
    """Returns the measurement of a version without golden requests."""
    message = f"neither the version nor one in service before it has {FILE}: {RECORD}"
    return Measurement(GATE, Verdict.INCONCLUSIVE, message)


def check(
    client: ModelClient,
    requests: Sequence[GoldenRequest],
    limits: GoldenPolicy,
    *,
    version: int,
    clock: Callable[[], float] = time.monotonic,
) -> list[GoldenResult]:
    """Returns the results of a version's golden requests on one replica, in order.

    Stops after `MAX_SECONDS` if so many results are wrong that the version fails in any case.

    Args:
        client: A client of the replica.
        requests: Golden requests.
        limits: The limits.
        version: The version.
        clock: Returns seconds.

    Raises:
        CallError: The replica did not answer, for a reason other than the request.
    """
    start, results = clock(), list[GoldenResult]()
    for first in range(0, len(requests), SENT_TOGETHER):
        results += golden.check(client, requests[first : first + SENT_TOGETHER], version=version)
        seconds, wrong = clock() - start, sum(not result.passed for result in results)
        if 1 - wrong / len(requests) < limits.min_accuracy and seconds > MAX_SECONDS:
            break
    return results


def judge(
    judged_by: GoldenSet,
    candidate: Sequence[GoldenResult],
    stable: Sequence[GoldenResult],
    policy: GatePolicy,
) -> list[Measurement]:
    """Judges both gates.

    Args:
        judged_by: The golden requests.
        candidate: The version's results in the order of the requests; fewer if it was stopped.
        stable: The stable version's results of the same requests.
        policy: The limits.
    """
    return [
        _accuracy(judged_by, candidate, stable, policy),
        _disagreement(candidate, stable, policy),
    ]


def _accuracy(
    judged_by: GoldenSet,
    candidate: Sequence[GoldenResult],
    stable: Sequence[GoldenResult],
    policy: GatePolicy,
) -> Measurement:
    sent, good = len(candidate), sum(result.passed for result in candidate)
    stable_good, limits = sum(result.passed for result in stable), policy.golden
    limit = f"golden.min_accuracy is {percent(limits.min_accuracy)}"
    problems = []
    if good / sent < limits.min_accuracy:
        problems.append(f"that is {percent(good / sent)}, and {limit}")
    # Counts are subtracted and not shares, so that a version exactly at the limit passes.
    if (stable_good - good) / sent > limits.max_drop:
        problems.append(
            f"that is {percent((stable_good - good) / sent)} less than stable, and "
            f"golden.max_drop is {percent(limits.max_drop)}"
        )
    first_wrong = _examples([result for result in candidate if not result.passed])
    message = (
        f"{good:,} of {sent:,} golden requests{judged_by.note} answered as expected, stable has "
        f"{stable_good:,}"
    )
    if sent < len(judged_by.requests):
        more = len(judged_by.requests) - sent
        message += f" ({more:,} more were not sent: too many are wrong already)"
    values: dict[str, Value] = {
        "requests": sent,
        "accuracy": good / sent,
        "stable_accuracy": stable_good / sent,
        "first_wrong": first_wrong,
    }
    if not problems:
        return Measurement(GATE, Verdict.SUCCESSFUL, f"{message}; {limit}", values)
    message = sentence(f"{message}: {'; '.join(problems)}", first_wrong, TRAIN_AGAIN)
    return Measurement(GATE, Verdict.FAILED, message, values)


def _disagreement(
    candidate: Sequence[GoldenResult], stable: Sequence[GoldenResult], policy: GatePolicy
) -> Measurement:
    sent, limit = len(candidate), policy.disagreement.max_share
    pairs = zip(candidate, stable, strict=True)
    different = [now for now, before in pairs if _differs(now, before)]
    worse = [now for now in different if not now.passed]
    first_worse = _examples(worse)
    values: dict[str, Value] = {
        "requests": sent,
        "differences": len(different),
        "disagreements": len(worse),
        "first_disagreements": first_worse,
    }
    message = (
        f"{number(len(worse))} of {sent:,} golden results ({percent(len(worse) / sent)}) differ "
        f"from stable's and are wrong; disagreement.max_share is {percent(limit)}"
    )
    if len(worse) / sent <= limit:
        return Measurement("disagreement", Verdict.SUCCESSFUL, message, values)
    message = sentence(message, first_worse, TRAIN_AGAIN)
    return Measurement("disagreement", Verdict.FAILED, message, values)


def _differs(now: GoldenResult, before: GoldenResult) -> bool:
    """Returns whether a result differs from stable's, by the comparison of the request."""
    if now.error or before.error:
        return bool(now.error) != bool(before.error)
    return bool(golden.differences(replace(now.request, expect=before.outputs), now.outputs))


def _examples(results: Sequence[GoldenResult]) -> str:
    """Returns the first few of these results as text."""
    examples = [text(result) for result in results[:MAX_EXAMPLES]]
    more = len(results) - len(examples)
    return ", ".join(examples) + (f" and {more:,} more" if more else "")


def text(result: GoldenResult) -> str:
    """Returns inputs and differences in a line: `{"x": [1.0]}: y is 3 (expected 2)`."""
    return f"{inputs_text(result.request.inputs)}: {one_line(str(result) or 'as expected')}"
