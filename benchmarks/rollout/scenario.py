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
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from seq2sum_serving.deployment.errors import Exit
from seq2sum_serving.deployment.event_log import Event, EventKind

from benchmarks.rollout.calls import Call
from benchmarks.rollout.deployment import CommandResult, Deployment
from benchmarks.rollout.history import Shares, Step, envoy_calls
from benchmarks.rollout.marked_versions import mark, truncate
from benchmarks.rollout.outsiders import Outsiders

DEFAULT, FAST, SHUFFLED, TRUNCATED, SLOW = "default", "fast", "shuffled", "truncated", "slow"
"""Names of the versions: two recipes, and those with a fault."""
MAX_RUNS = 100
DELAY = 0.3
"""Seconds that the slow version takes longer for a call."""
POLICY = """\
[latency]
# Outsiders, servers and gates share a few cores here, so latency depends on the load.
warm_up = 1
samples = 8
rows = [1]
max_p50_ratio = 10.0
max_p99_ratio = 1000.0
max_p99_milliseconds = 60000.0
[live]
min_calls = {min_calls}
max_p99_ratio = 1000.0
[traffic]
steps = [10, 50]
mirror = {mirror}
bake = {bake}
settle = {settle}
"""
UNREACHABLE = 1_000_000
"""A number of probes that is never reached."""


@dataclass(frozen=True, slots=True)
class ScenarioOptions:
    """The length of the scenario."""

    calls: int
    """Minimum number of calls."""
    runs: int = 0
    """Minimum number of promotions."""
    quiet: float = 20.0
    """Seconds of calls before the first rollout."""
    bake: float = 3.0
    """Seconds of each step, except in the last runs."""
    last_bake: float = 30.0
    """Seconds of each step in the last runs, whose shares are measured."""
    settle: float = 1.0
    """Seconds for callers to notice new labels."""
    pause: float = 0.0
    """Seconds between two calls of an outsider."""
    kills: frozenset[str] | None = None
    """Kinds of events after the first of which the operator's command is killed; None for all
    distinct events."""


@dataclass(frozen=True, slots=True)
class CommandRun:
    """A rollout command, with its expected and its real result."""

    command: str
    """Name of the command, and the version."""
    expected: int
    result: CommandResult
    expected_error: str = ""
    """A part of the expected error message."""

    @property
    def as_expected(self) -> bool:
        """Whether exit code and error are as expected."""
        return self.result.exit_code == self.expected and self.expected_error in self.result.error


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


@dataclass(slots=True)
class Operator:
    """Makes versions and runs commands.

    Args:
        deployment: The servers.
        versions: The folder of each version by name.
        options: The length of the scenario.
        log: Gets a line for each command and each result.
    """

    deployment: Deployment
    versions: Mapping[str, Path]
    options: ScenarioOptions
    log: Callable[[str], None]
    names: dict[int, str] = field(default_factory=lambda: {1: DEFAULT})
    commands: list[CommandRun] = field(default_factory=list)

    def policy(self, **changes: Any) -> str:
        """Returns the policy, with some values changed."""
        values = {
            "min_calls": 1,
            "mirror": 5,
            "bake": self.options.bake,
            "settle": self.options.settle,
        }
        return POLICY.format(**values | changes)

    def execute(
        self,
        command: str,
        *arguments: str,
        expected: int = Exit.DONE,
        error: str = "",
        **how: Any,
    ) -> CommandRun:
        """Runs a command; see `Deployment.run`."""
        self.log(f"$ seq2sum-rollout {' '.join([command, *arguments])}")
        result = self.deployment.run(command, *arguments, **{"policy": self.policy()} | how)
        version = result.output.get("version", Path(arguments[0]).name if arguments else "")
        run = CommandRun(f"{command} {version}".strip(), expected, result, error)
        self.commands.append(run)
        message = f": {result.error}" if result.error else ""
        self.log(f"exit code {result.exit_code} after {result.seconds:.1f} s{message}")
        return run

    def make(self, name: str) -> Path:
        """Makes the next version of this name, in a folder with the number that it will have."""
        number = len(self.names) + 1
        self.names[number] = name
        good = self.versions[SHUFFLED if name == SHUFFLED else FAST if name == FAST else DEFAULT]
        folder = self.deployment.folder / "new" / str(number)
        mark(good, folder, number, delay=DELAY if name == SLOW else 0.0)
        return truncate(folder) if name == TRUNCATED else folder

    def roll_out(self, folder: Path, **how: Any) -> CommandRun:
        """Runs `run` with a folder."""
        return self.execute("run", str(folder), **how)

    def kill_candidate(self, name: str, moment: Callable[[Event], bool]) -> Path:
        """Rolls out a version, kills the candidate server at a moment, and starts it again."""
        folder, killed = self.make(name), []

        def watch(event: Event, _: object) -> None:
            if not killed and moment(event):
                self.log(f"killing the candidate server at {event.kind!r}")
                self.deployment.kill_candidate()
                killed.append(event)

        self.roll_out(folder, expected=Exit.FAILED, watch=watch)
        if killed:
            self.deployment.start_candidate()
        return folder

    def kill_command(self, *line: str) -> None:
        """Runs a command that is killed after each new event, until it completes."""
        seen, kinds = set[str](), self.options.kills

        def watch(event: Event, process: Any) -> None:
            key = event_key(event) if kinds is None else event.kind
            if key not in seen and (kinds is None or key in kinds):
                seen.add(key)
                self.log(f"killing the command at {event.kind!r}")
                process.kill()

        while True:
            run = self.execute(*line, watch=watch)
            if not run.result.killed:
                return
            killed = CommandRun(f"{run.command}, killed", run.result.exit_code, run.result)
            self.commands[-1] = killed


def event_key(event: Event) -> str:
    """Returns a text that is the same for an event and its repetition by a resumed run."""
    details = {"gate": event.details["gate"]} if "gate" in event.details else event.details
    return f"{event.kind} {sorted(details.items())}"


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
        judge_versions(operator)
        kill_processes(operator)
        for name in cycle([DEFAULT, FAST]):
            operator.roll_out(operator.make(name), policy=operator.policy(bake=options.last_bake))
            promoted = sum(event.kind == EventKind.PROMOTED for event in deployment.events())
            enough = len(outsiders.calls) >= options.calls and promoted >= options.runs
            failed = not all(run.as_expected for run in operator.commands)
            if enough or promoted >= MAX_RUNS or failed:
                break
        operator.execute("rollback")
        operator.execute("status")
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
        return event.kind == EventKind.STEP_STARTED and event.details["weight"] > 0

    interrupted = operator.kill_candidate(DEFAULT, is_loading)
    operator.execute("run", interrupted.name)  # the version was not at fault
    operator.kill_candidate(FAST, has_share)
    operator.kill_command("run", str(operator.make(FAST)))
    operator.execute("rollback")
