"""Judges a version on separate servers: the candidate group.

Callers reach these servers by a router only, and only while a version has a share of the traffic.
Whatever the version does there does not affect the servers that callers reach otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from seq2sum_serving.deployment.errors import RolloutError, UsageError, VersionFailed
from seq2sum_serving.deployment.replicas import Replicas
from seq2sum_serving.deployment.state import STABLE, Current, Desired, ModelEntry, Policy
from seq2sum_serving.rollout import planner, transitions
from seq2sum_serving.rollout.change_options import ChangeOptions
from seq2sum_serving.rollout.executor import Executor
from seq2sum_serving.rollout.planner import Step

MAX_DOWN = 10.0
"""Seconds that a server of the candidate group may be down while the tool waits for it."""


class CandidateGroup:
    """The candidate group.

    Args:
        stable: The servers that callers reach.
        group: The servers of the candidate group.
    """

    name = "in the candidate group"
    is_separate = True

    def __init__(self, stable: Executor, group: Executor) -> None:
        self.stable = stable
        self.group = group

    @property
    def replicas(self) -> Replicas:
        """The servers of the candidate group."""
        return self.group.replicas

    def observe(self) -> Current:
        """Returns the state of the candidate group."""
        with _naming_the_group():
            return self.group.observe()

    def pin_versions(self, options: ChangeOptions) -> None:
        """Lists the versions of the candidate group by number."""
        with _naming_the_group():
            self.group.pin_versions(options)

    def plan(self, current: Current, version: int) -> tuple[Step, ...]:
        """Returns the steps that load a version; see `Placement.plan`."""
        # Raises if the version can never serve.
        planner.plan(current, transitions.load(current, version))
        transitions.refuse_second_canary(self.canary(current), version)
        with _naming_the_group():
            group = replace(self.group.observe(), on_disk=current.on_disk)
            self._check_separate(current, group)
            return planner.plan(group, transitions.judge_in_candidate_group(current, version))

    def _check_separate(self, current: Current, group: Current) -> None:
        """Raises UsageError if a server belongs to both groups."""
        shared = {one.target for one in current.replicas} & {one.target for one in group.replicas}
        if shared:
            raise UsageError(
                f"{', '.join(sorted(shared))} is in --targets and in --candidate-targets: callers "
                "would reach a version before it has passed"
            )

    def load(self, version: int, options: ChangeOptions) -> None:
        """Loads a version next to the stable one, and points all labels at it."""
        with _naming_the_group():
            desired = transitions.judge_in_candidate_group(self.stable.observe_files(), version)
            self.group.apply(desired, options)

    start = load

    def canary(self, current: Current) -> int | None:
        """Returns the version that the group's labels point at; None if it is the stable one."""
        version = self.group.config.read().labels.get(STABLE)
        return None if version == current.stable else version

    def lists(self, version: int) -> bool:
        """Returns whether the file of the candidate group lists the version."""
        return version in self.group.config.read().policy.versions

    def clear(self, version: int | None, options: ChangeOptions) -> None:
        """Leaves only the stable version, and unloads the other one from the stable group too.

        The candidate group may be down: it reads its file when it starts.
        """
        current = self.stable.observe()
        if version is not None and version != current.stable and current.in_use(version):
            self.stable.apply(replace(transitions.retire(current, version), at_once=True), options)
        desired = transitions.clear_candidate_group(self.stable.observe_files())
        options = replace(options, allow_down_replicas=True)
        try:
            group = self.group.observe()
            if group.up:
                self.group.replicas.skip(replica.target for replica in group.down)
            self.group.apply(desired, options)
        except RolloutError as error:
            self.group.log(f"  the candidate group did not reach the desired state: {error}")
            self._write(desired, options)

    def _write(self, desired: Desired, options: ChangeOptions) -> None:
        """Writes the whole desired state at once, for servers that cannot be changed in steps."""
        entry = ModelEntry(Policy("specific", desired.versions), desired.labels)
        self.group.write_entry(self.group.config.read(), entry, options)
        with suppress(RolloutError):  # its servers read the file
            self.group.reload()


@contextmanager
def _naming_the_group() -> Iterator[None]:
    """Starts the messages of errors with `candidate group:`."""
    try:
        yield
    except VersionFailed:
        raise
    except RolloutError as error:
        raise type(error)(f"candidate group: {error}") from error
