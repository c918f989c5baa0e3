"""Plays a case: each step is done, and what is seen is held against what was recorded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from conformance import actions, comparison, exchange, raw_http
from conformance.case import Case, Step
from conformance.differences import Instead
from conformance.exchange import Seen
from conformance.subject import Start, Subject


def observed(subject: Subject, step: Step) -> Seen:
    """Does one step; gives back what was seen."""
    time.sleep(step.get("delay_s", 0))
    if "rpc" in step:
        return exchange.rpc(subject, step)
    if "rest" in step:
        return exchange.rest(subject, step)
    if "http_raw" in step:
        return raw_http.exchange(subject, step)
    if "parallel" in step:
        return {"parallel": at_once(subject, step["parallel"])}
    return actions.act(subject, step)


def at_once(subject: Subject, branches: Sequence[Sequence[Step]]) -> list[list[Seen]]:
    """Each branch in a thread of its own."""

    def branch(steps: Sequence[Step]) -> list[Seen]:
        try:
            return [observed(subject, step) for step in steps]
        except Exception as error:  # noqa: BLE001 the other branches go on, this one is shown
            return [{"error": repr(error)}] * len(steps)

    with ThreadPoolExecutor(len(branches)) as pool:
        return list(pool.map(branch, branches))


def play(case: Case, subject: Subject, instead: Instead) -> list[str]:
    """Where the case departs from the recording, up to the first step that does.

    Args:
        instead: What must be seen in place of the recording. If the server has ended at such a
            step, the case is over: nothing of the rest can be asked any more.
    """
    for number, step in enumerate(case.steps):
        try:
            seen = observed(subject, step)
        except Exception as error:  # noqa: BLE001 a broken connection is an outcome, too
            return [f"step {number}: {error!r}"]
        if sentences := departures(step, seen, str(number), instead):
            return [f"step {number}: {sentence}" for sentence in sentences]
        if str(number) in instead and subject.process.poll() is not None:
            break
    return []


def departures(step: Step, seen: Seen, place: str, instead: Instead) -> list[str]:
    """Of one step: from the recording, or where the list says so, from the list."""
    if place in instead:
        if not comparison.differences(step, seen):
            return ["is as it was recorded, though it is listed as a difference"]
        if any(field.endswith("_regex") for field in instead[place]):
            return comparison.differences({**step, **instead[place]}, seen)
        listed = comparison.normal({"message": "", **instead[place]}, step)
        return comparison.of_fields(listed, comparison.normal(seen, step), list(instead[place]))
    if not any(listed.startswith(f"{place}.") for listed in instead):
        return comparison.differences(step, seen)
    return [
        f"branch {branch}: {sentence}"
        for branch, (steps, results) in enumerate(
            zip(step["parallel"], seen["parallel"], strict=True)
        )
        for inner, (one, result) in enumerate(zip(steps, results, strict=True))
        for sentence in departures(one, result, f"{place}.{branch}.{inner}", instead)
    ]


ATTEMPTS_AGAINST_THE_CLOCK = 3
"""A server with a limit of 300 ms a request misses it now and then where other tests run, too."""


def play_own(case: Case, path: Path, start: Start, instead: Instead) -> list[str]:
    """Plays a case that needs its own server, below `path`."""
    attempts = ATTEMPTS_AGAINST_THE_CLOCK if case.races_the_clock else 1
    for attempt in range(attempts):
        differences = play_once(case, path / str(attempt), start, instead)
        if not differences:
            break
    return differences


def play_once(case: Case, path: Path, start: Start, instead: Instead) -> list[str]:
    assert case.own is not None
    subject = Subject(case.own, path, start)
    try:
        if not case.watches_start and not subject.wait_until_open():
            last = subject.log.read_text(errors="replace").strip().splitlines()[-3:]
            return ["the server did not open its ports", *last]
        return play(case, subject, instead)
    finally:
        subject.stop()
