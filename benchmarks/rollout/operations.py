"""The operator of the scenario: makes versions, runs commands, and kills processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seq2sum_serving.deployment.errors import Exit
from seq2sum_serving.deployment.event_log import Event, EventKind

from benchmarks.rollout.deployment import CommandResult, Deployment
from benchmarks.rollout.marked_versions import mark, truncate

DEFAULT, FAST, SHUFFLED, TRUNCATED, SLOW = "default", "fast", "shuffled", "truncated", "slow"
"""Names of the versions: two recipes, and those with a fault."""
DELAY = 0.3
"""Seconds that the slow version takes longer for a call."""
LAST_WEIGHT = 50
"""Percent of the calls in the last step."""
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
steps = [10, {last}]
mirror = {mirror}
bake = {bake}
settle = {settle}
"""


@dataclass(frozen=True, slots=True)
class ScenarioOptions:
    """The length of the scenario."""

    calls: int
    """Minimum number of calls."""
    runs: int = 0
    """Minimum number of versions that become stable, with the first one; 0 for no further runs."""
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
    distinct events of a run but its last one."""


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


class Unexpected(Exception):
    """A command did not end as expected, so the next ones would not either."""


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
            "last": LAST_WEIGHT,
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
        """Runs a command; see `Deployment.run`.

        Raises:
            Unexpected: Its exit code or its error is not as expected.
        """
        self.log(f"$ seq2sum-rollout {' '.join([command, *arguments])}")
        result = self.deployment.run(command, *arguments, **{"policy": self.policy()} | how)
        version = result.output.get("version", Path(arguments[0]).name if arguments else "")
        run = CommandRun(f"{command} {version}".strip(), expected, result, error)
        if result.killed:
            run = CommandRun(f"{run.command}, killed", result.exit_code, result)
        self.commands.append(run)
        message = f": {result.error}" if result.error else ""
        self.log(f"exit code {result.exit_code} after {result.seconds:.1f} s{message}")
        if not run.as_expected:
            raise Unexpected
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
        """Runs `run` with a folder of `make`."""
        run = self.execute("run", str(folder), **how)
        assert run.result.output.get("version") == int(folder.name), "versions name their number"
        return run

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
            # After the end of a run, the same command would publish the folder once more.
            at_end = event.kind == EventKind.RUN_ENDED
            if key not in seen and not at_end and (kinds is None or key in kinds):
                seen.add(key)
                self.log(f"killing the command at {event.kind!r}")
                process.kill()

        while self.execute(*line, watch=watch).result.killed:
            pass


def event_key(event: Event) -> str:
    """Returns a text that is the same for an event and its repetition by a resumed run."""
    details = {"gate": event.details["gate"]} if "gate" in event.details else event.details
    return f"{event.kind} {sorted(details.items())}"
