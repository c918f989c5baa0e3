"""The scenario: rollouts of good and bad versions while outsiders send requests.

A run in place is refused. A good version follows, then one with shuffled weights, one that cannot
be loaded, and a slow one. An inconclusive run has a share, which a rollback takes back. The
candidate server is killed while it loads a version, and while it has a share. The operator's
command is killed after each event and run again, and its version is rolled back after the
promotion. Then good versions alternate until there were enough calls, and the last one is rolled
back.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from seq2sum_serving.deployment.errors import Exit
from seq2sum_serving.deployment.event_log import Event, EventKind

from benchmarks.rollout.calls import Call
from benchmarks.rollout.deployment import Deployment
from benchmarks.rollout.history import Shares, Step, envoy_calls
from benchmarks.rollout.operations import (
    DEFAULT,
    FAST,
    LAST_WEIGHT,
    SHUFFLED,
    SLOW,
    TRUNCATED,
    CommandRun,
    Operator,
    ScenarioOptions,
    Unexpected,
)
from benchmarks.rollout.outsiders import Outsiders

MAX_RUNS = 100
UNREACHABLE = 1_000_000
"""A number of probes that is never reached."""


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """Everything that was recorded."""

    options: ScenarioOptions
    names: Mapping[int, str]
    """Names by version."""
    start: float
    """When the callers started, in seconds since 1970."""
    calls: Sequence[Call]
    events: Sequence[Event]
    """The rollout history."""
    commands: Sequence[CommandRun]
    steps: Sequence[Step]
    """The completed steps, with the calls of each group."""


def run_scenario(
    deployment: Deployment,
    versions: Mapping[str, Path],
    options: ScenarioOptions,
    *,
    log: Callable[[str], None] = lambda _: None,
    on_start: Callable[[Outsiders], None] = lambda _: None,
) -> ScenarioResult:
    """Runs the scenario.

    Args:
        deployment: Servers with the first version.
        versions: The folder of each version by name: two good ones and one with shuffled weights.
        options: The length of the scenario.
        log: Gets a line for each command and each result.
        on_start: Called when the outsiders have started.
    """
    operator = Operator(deployment, versions, options, log)
    operator.execute("promote", "1")
    with (
        Shares(deployment.history, lambda: envoy_calls(deployment.router.http)) as shares,
        Outsiders(deployment, versions[DEFAULT], pause=options.pause) as outsiders,
    ):
        on_start(outsiders)
        time.sleep(options.quiet)
        with suppress(Unexpected):  # the report shows the command
            judge_versions(operator)
            kill_processes(operator)
            if options.runs:
                roll_out_good_versions(operator, outsiders)
        time.sleep(options.settle)
    shutil.rmtree(deployment.folder / "new")
    return ScenarioResult(
        options,
        operator.names,
        outsiders.start,
        outsiders.calls,
        deployment.events(),
        tuple(operator.commands),
        tuple(shares.steps),
    )


def roll_out_good_versions(operator: Operator, outsiders: Outsiders) -> None:
    """Rolls out good versions until there were enough calls, and rolls the last one back."""
    options = operator.options
    for name in cycle([DEFAULT, FAST]):
        operator.roll_out(operator.make(name), policy=operator.policy(bake=options.last_bake))
        events = operator.deployment.events()
        promoted = {event.version for event in events if event.kind == EventKind.PROMOTED}
        enough = len(outsiders.calls) >= options.calls and len(promoted) >= options.runs
        if enough or len(promoted) >= MAX_RUNS:
            break
    operator.execute("rollback")
    operator.execute("status")


def judge_versions(operator: Operator) -> None:
    """Rolls out good versions and those with a fault."""
    good = operator.make(FAST)
    operator.roll_out(good, expected=Exit.FAILED, error="call without a label", in_place=True)
    operator.roll_out(good)
    operator.roll_out(operator.make(SHUFFLED), expected=Exit.FAILED, error="golden: ")
    operator.roll_out(
        operator.make(TRUNCATED), expected=Exit.FAILED, error="could not be loaded by"
    )
    operator.roll_out(operator.make(SLOW), expected=Exit.FAILED, error="latency: ")
    operator.roll_out(
        operator.make(DEFAULT),
        expected=Exit.INCONCLUSIVE,
        error=f"live.min_calls is {UNREACHABLE:,}",
        policy=operator.policy(min_calls=UNREACHABLE, mirror=0),
    )
    operator.execute("rollback")


def kill_processes(operator: Operator) -> None:
    """Kills the candidate server, and the command of the operator."""

    def is_loading(event: Event) -> bool:
        return event.kind == EventKind.CANDIDATE_SET

    def has_share(event: Event) -> bool:
        return event.kind == EventKind.STEP_STARTED and event.details["weight"] == LAST_WEIGHT

    interrupted = operator.kill_candidate(DEFAULT, is_loading)
    operator.execute("run", interrupted.name)  # the version was not at fault
    operator.kill_candidate(FAST, has_share)
    operator.kill_command("run", str(operator.make(FAST)))
    operator.execute("rollback")
