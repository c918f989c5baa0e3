"""Replays a case: takes each step and compares what it observes with the recording."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

from conformance import actions, comparison, exchange, raw_http
from conformance.case import Case, Step
from conformance.differences import Overrides
from conformance.exchange import Observation
from conformance.server_under_test import ServerUnderTest, Start

TIME_CRITICAL_ATTEMPTS = 3
"""A server with a time limit of 300 ms per request occasionally misses it on a busy machine."""


def replay_case(case: Case, server: ServerUnderTest, overrides: Overrides) -> list[str]:
    """Returns the mismatches of the first step that has any.

    Args:
        case: The case.
        server: Its server.
        overrides: Expected results that replace recorded ones, by step. If the server exits in
            such a step, the rest of the case is skipped.
    """
    for number, step in enumerate(case.steps):
        try:
            observation = observe(server, step)
        except Exception as error:  # noqa: BLE001 a broken connection is an outcome, too
            return [f"step {number}: {error!r}"]
        if mismatches := compare_step(step, observation, str(number), overrides):
            return [f"step {number}: {mismatch}" for mismatch in mismatches]
        if str(number) in overrides and server.process.poll() is not None:
            break
    return []


def observe(server: ServerUnderTest, step: Step) -> Observation:
    """Takes one step; returns what it observes."""
    time.sleep(step.get("delay_s", 0))
    if "rpc" in step:
        return exchange.rpc(server, step)
    if "rest" in step:
        return exchange.rest(server, step)
    if "http_raw" in step:
        return raw_http.exchange(server, step)
    if "parallel" in step:
        return {"parallel": observe_parallel(server, step["parallel"])}
    return actions.run_action(server, step)


def observe_parallel(
    server: ServerUnderTest, branches: Sequence[Sequence[Step]]
) -> list[list[Observation]]:
    """Takes the steps of each branch in a separate thread."""

    def run(steps: Sequence[Step]) -> list[Observation]:
        try:
            return [observe(server, step) for step in steps]
        except Exception as error:  # noqa: BLE001 the other branches go on, this one is reported
            return [{"error": repr(error)}] * len(steps)

    with ThreadPoolExecutor(len(branches)) as pool:
        return list(pool.map(run, branches))


def compare_step(
    step: Step, observation: Observation, path: str, overrides: Overrides
) -> list[str]:
    """Returns the mismatches with the overrides of this step, else with the recording."""
    if path in overrides:
        expected = overrides[path]
        if not comparison.mismatches(step, observation):
            return ["matches the recording, although it is listed as a difference"]
        if any(field.endswith("_regex") for field in expected):
            return comparison.mismatches({**step, **expected}, observation)
        return comparison.compare_fields(
            comparison.normalize({"message": "", **expected}, step),
            comparison.normalize(observation, step),
            list(expected),
        )
    if not any(listed.startswith(f"{path}.") for listed in overrides):
        return comparison.mismatches(step, observation)
    return [
        f"branch {branch}: {mismatch}"
        for branch, (steps, results) in enumerate(
            zip(step["parallel"], observation["parallel"], strict=True)
        )
        for number, (inner, result) in enumerate(zip(steps, results, strict=True))
        for mismatch in compare_step(inner, result, f"{path}.{branch}.{number}", overrides)
    ]


def replay_on_own_server(case: Case, path: Path, start: Start, overrides: Overrides) -> list[str]:
    """Replays a case that needs its own server, with folders below `path`."""
    for attempt in range(TIME_CRITICAL_ATTEMPTS if case.is_time_critical else 1):
        mismatches = replay_once(case, path / str(attempt), start, overrides)
        if not mismatches:
            break
    return mismatches


def replay_once(case: Case, path: Path, start: Start, overrides: Overrides) -> list[str]:
    assert case.server_spec is not None
    server = ServerUnderTest(case.server_spec, path, start)
    try:
        if not case.observes_startup and not server.wait_until_open():
            last = server.log.read_text(errors="replace").strip().splitlines()[-3:]
            return ["the server did not open its ports", *last]
        if case.is_time_critical:
            prepare_graphs(case, server)
        return replay_case(case, server, overrides)
    finally:
        server.stop()


def prepare_graphs(case: Case, server: ServerUnderTest) -> None:
    """Sends the requests that will succeed once before, for a first run takes far longer."""
    for step in case.steps:
        if step.get("http_code") == HTTPStatus.OK:
            observe(server, step)
