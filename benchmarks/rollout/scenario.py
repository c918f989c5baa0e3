"""The scenario: rollouts from a first version to the last, while callers send requests.

The first version is often wrong, the next is always correct, and a faster one follows. A version
with shuffled weights fails its golden gate and is aborted before it answers a caller. Another
canary is inconclusive for lack of calls, and is rolled back by hand. Then versions alternate until
there were enough calls and swaps, and the last rollout is rolled back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from seq2sum_serving.deployment.errors import Exit
from seq2sum_serving.deployment.event_log import Event

from benchmarks.rollout.allowed_versions import swaps
from benchmarks.rollout.callers import Callers
from benchmarks.rollout.calls import Call
from benchmarks.rollout.deployment import CommandResult, Deployment

SEED, DEFAULT, FAST, SHUFFLED = "seed", "default", "fast", "shuffled"
"""Names of the versions: three recipes, and one with shuffled weights."""
MAX_SWAPS = 100
POLICY = """\
[latency]
# Callers, servers and gates share a few cores here, so latency depends on the load.
warm_up = 5
samples = 30
max_p50_ratio = 20.0
max_p99_ratio = 50.0
max_p99_milliseconds = 5000.0
[live]
min_calls = {min_calls}
max_p99_ratio = 200.0
[traffic]
steps = [10, 50]
bake = {bake}
settle = {settle}
"""
FEW, UNREACHABLE = 1, 1_000_000
"""Values of `min_calls`, the number of probes that must be observed."""


@dataclass(frozen=True, slots=True)
class ScenarioOptions:
    """The length of the scenario."""

    calls: int
    """Minimum number of calls."""
    swaps: int = 0
    """Minimum number of swaps."""
    quiet: float = 20.0
    """Seconds of calls before the first rollout."""
    bake: float = 3.0
    """Seconds of each step."""
    settle: float = 1.0
    """Seconds for callers to notice new labels."""


@dataclass(frozen=True, slots=True)
class CommandRun:
    """A rollout command, with its expected and its real result."""

    command: str
    """Name of the command, and the version."""
    expected: Exit
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


def run_scenario(
    deployment: Deployment,
    versions: Mapping[str, Path],
    options: ScenarioOptions,
    *,
    log: Callable[[str], None] = lambda _: None,
    on_start: Callable[[Callers], None] = lambda _: None,
) -> ScenarioResult:
    """Runs the scenario.

    Args:
        deployment: Servers with the first version.
        versions: The folder of each version by name.
        options: The length of the scenario.
        log: Gets a line for each command and each result.
        on_start: Called when the callers have started.
    """
    names: dict[int, str] = {1: SEED}
    commands: list[CommandRun] = []

    def execute(
        command: str,
        *arguments: str,
        expected: Exit = Exit.DONE,
        error: str = "",
        policy: str = "",
    ) -> CommandRun:
        log(f"$ seq2sum-rollout {' '.join([command, *arguments])}")
        result = deployment.run(command, *arguments, policy=policy)
        version = result.output.get("version", arguments[0] if arguments else "")
        commands.append(CommandRun(f"{command} {version}".strip(), expected, result, error))
        message = f": {result.error}" if result.error else ""
        log(f"exit code {result.exit_code} after {result.seconds:.1f} s{message}")
        return commands[-1]

    def roll_out(name: str, policy: str, expected: Exit = Exit.DONE, error: str = "") -> CommandRun:
        found = execute("run", str(versions[name]), expected=expected, error=error, policy=policy)
        if "version" in found.result.output:
            names[found.result.output["version"]] = name
        return found

    times = {"bake": options.bake, "settle": options.settle}
    usual = POLICY.format(min_calls=FEW, **times)
    inconclusive = POLICY.format(min_calls=UNREACHABLE, **times)
    execute("promote", "1")
    with Callers(deployment, versions[SEED]) as callers:
        on_start(callers)
        time.sleep(options.quiet)
        roll_out(DEFAULT, usual)
        roll_out(FAST, usual)
        roll_out(SHUFFLED, usual, Exit.FAILED, "golden: ")
        doubtful = roll_out(DEFAULT, inconclusive, Exit.INCONCLUSIVE, "live.min_calls is 1,000,000")
        execute("rollback")
        execute("retire", str(doubtful.result.output["version"]))
        for name in cycle([DEFAULT, FAST]):
            swapped = len(swaps(deployment.events()))
            enough = len(callers.calls) >= options.calls and swapped >= options.swaps
            if enough or swapped >= MAX_SWAPS or not commands[-1].as_expected:
                break
            roll_out(name, usual)
        execute("rollback")
        execute("status")
    return ScenarioResult(
        options, names, callers.start, callers.calls, deployment.events(), tuple(commands)
    )
