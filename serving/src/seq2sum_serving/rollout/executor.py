"""Observes a model on a group of servers and carries out the steps of a plan.

Every change is in the history before it is made. Versions change before labels do, and labels move
only when their versions are AVAILABLE on every replica. Whether a step is complete depends on what
replicas serve, never on their reply to a reload.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from seq2sum_serving.deployment import in_service
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.event_log import Event, EventKind, EventLog, burned
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.deployment.model_store import ModelStore
from seq2sum_serving.deployment.replicas import Replicas
from seq2sum_serving.deployment.routers.router import NO_SHARES, Router, Shares
from seq2sum_serving.deployment.state import LABELS, STABLE, Current, Desired, ModelEntry, Policy
from seq2sum_serving.deployment.traffic import canary_weights
from seq2sum_serving.rollout import caller_check, planner, transitions
from seq2sum_serving.rollout.change_options import DEFAULT_TIMING, DEFAULTS, ChangeOptions, Timing
from seq2sum_serving.rollout.planner import Step
from seq2sum_serving.rollout.wait_conditions import (
    answering,
    not_available,
    still_serving,
    wrong_labels,
)
from seq2sum_serving.rollout.waiting import Log, Wait

LABEL_TIMEOUT = 60.0
"""Limit in seconds for labels to move: they do at once after a reload, otherwise when the server
next polls the file."""

Content = TypeVar("Content")


class Executor:
    """One model on one group of servers, with its model config file, versions, router and history.

    Args:
        config: The model config file of the group.
        replicas: The servers of the group.
        store: The versions on disk.
        router: Sends a part of the callers to the candidate.
        history: The model's event log.
        timing: Limits in time.
        is_candidate: Whether this is the candidate group.
        max_down: Seconds that a server may be down while it is waited for; see `Wait`.
        log: Receives progress.
    """

    def __init__(
        self,
        config: ModelConfigFile,
        replicas: Replicas,
        store: ModelStore,
        router: Router,
        history: EventLog,
        *,
        timing: Timing = DEFAULT_TIMING,
        is_candidate: bool = False,
        max_down: float = float("inf"),
        log: Log = lambda _: None,
    ) -> None:
        self.model = config.model
        self.config = config
        self.replicas = replicas
        self.store = store
        self.router = router
        self.history = history
        self.timing = timing
        self.is_candidate = is_candidate
        self.log = log
        self._wait = Wait(config, replicas, log, max_down)

    def observe(self) -> Current:
        """Returns the current state of files and replicas.

        Raises:
            UsageError: The model config file, the base path or the history cannot be read.
            Failed: The name of the replicas does not resolve.
        """
        current = self.observe_files()
        return replace(current, replicas=self.replicas.observe((*LABELS, *current.recorded.labels)))

    def observe_files(self) -> Current:
        """Returns the current state of files, without replicas; raises as `observe`."""
        return Current(self.store.versions(), self.config.read(), (), burned(self.events()))

    def check_files(self, *, require_history: bool = True) -> None:
        """Checks that the files of a rollout can be read and written; writes nothing.

        Raises:
            Refused: The model config file is part of a read-only volume.
            Failed: A file cannot be written.
            UsageError: The shares cannot be read, and the history is required.
        """
        self.config.check_writable()
        self.router.check_writable()
        if require_history:
            self.history.check_writable()
            self.router.read()

    def events(self) -> list[Event]:
        """Returns the model's history."""
        return self.history.events(self.model)

    def nearest_file(
        self, version: int, read: Callable[[Path], Content | None]
    ) -> tuple[int, Content] | None:
        """Returns a file by which versions are judged; see `in_service.nearest_file`."""
        labels = self.config.read().labels
        return in_service.nearest_file(self.store, version, self.events(), labels, read)

    def record(
        self,
        kind: EventKind,
        version: int | None = None,
        options: ChangeOptions = DEFAULTS,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Appends an event to the history.

        Raises:
            Failed: It cannot be written, and is required.
        """
        event = Event(
            kind, version, options.reason, details or {}, run=options.run, model=self.model
        )
        try:
            self.history.append(event)
        except Failed as error:
            if options.require_history:
                raise
            self.log(f"  {kind}: {error}")

    def adopt(self, options: ChangeOptions = DEFAULTS) -> None:
        """Starts to manage a model that no rollout has changed before.

        Raises:
            Refused: No version is AVAILABLE on every replica.
            Failed: As `apply`.
        """
        current = self.observe()
        if not transitions.is_adopted(current):
            self.apply(transitions.adopt(current), options)
        if not self.router.is_initialized():
            self.set_shares(NO_SHARES, options)

    def pin_versions(self, options: ChangeOptions = DEFAULTS) -> None:
        """Lists the aspired versions by number, so that a new folder on disk changes nothing.

        Needs no replica: those that cannot be reached read the file.
        """
        current = self.observe_files()
        if current.recorded.policy.kind == "specific":
            return
        policy = Policy("specific", current.aspired)
        self.write_entry(current.recorded, ModelEntry(policy, current.recorded.labels), options)
        try:
            self.reload()
        except Failed as error:
            self.log(f"  no replica was reloaded: {error}; they read {self.config.path}")

    def apply(self, desired: Desired, options: ChangeOptions = DEFAULTS) -> None:
        """Brings files and replicas to the desired state.

        Raises:
            Refused: No safe steps exist; nothing was changed.
            Failed: A step failed: a version cannot be loaded, a replica did not reach the desired
                state in time, or somebody else changed the file.
        """
        current = self.observe()
        entry = current.recorded
        steps = planner.plan(current, desired, allow_down_replicas=options.allow_down_replicas)
        for step in steps:
            self._execute(step, entry, options)
            if isinstance(step, planner.WriteConfig):
                entry = step.entry

    def set_shares(self, shares: Shares, options: ChangeOptions = DEFAULTS) -> None:
        """Sets the candidate's shares, unless they are in force already.

        Raises:
            Failed: They are not in force.
        """
        if self._has_shares(shares, options):
            return
        details = canary_weights(shares.candidate)
        details |= {"mirror": shares.mirror} if shares.mirror else {}
        self.record(EventKind.WEIGHTS_SET, options=options, details=details)
        self.router.write(shares)

    def _has_shares(self, shares: Shares, options: ChangeOptions) -> bool:
        try:
            if not self.router.is_initialized() or self.router.read() != shares:
                return False
            self.router.check_in_force()  # a command may have been killed before they were
        except UsageError as error:
            if options.require_history:
                raise
            self.log(f"  {error}; replacing the file")
            return False
        except Failed as error:
            self.log(f"  {error}; writing them again")
            return False
        return True

    def verify(self, version: int, options: ChangeOptions = DEFAULTS) -> None:
        """Checks, and logs, that callers of every server get this version, in whatever way.

        Without a label they get the highest version of the file, which another label may hold.

        Raises:
            Failed: They get another version, or none.
        """
        found = self.replicas.caller_versions(STABLE)
        for line in caller_check.lines(found):
            self.log(line)
        highest = max(self.observe_files().aspired, default=version)
        allow_down = options.allow_down_replicas
        caller_check.check(found, version, highest, allow_down_replicas=allow_down)

    def _execute(self, step: Step, before: ModelEntry, options: ChangeOptions) -> None:
        self.log(f"candidate group: {step}" if self.is_candidate else str(step))
        timeout, missing = self.timing.load_timeout, None
        match step:
            case planner.WriteConfig(entry):
                self.write_entry(before, entry, options)
                self.reload()
            case planner.ReloadConfig():
                self.reload()
            case planner.Settle():
                time.sleep(self.timing.settle)
            case planner.AwaitAvailable(versions):
                missing = partial(not_available, versions=versions)
            case planner.AwaitLabels(labels):
                timeout, missing = LABEL_TIMEOUT, partial(wrong_labels, labels=labels)
            case planner.AwaitUnloaded(versions):
                missing = partial(still_serving, versions=versions)
            case planner.AwaitWithdrawn(versions):
                missing = partial(answering, versions=versions)
        if missing is not None:
            allow_down = options.allow_down_replicas
            self._wait.until_nothing_is_missing(missing, timeout, allow_down=allow_down)

    def write_entry(self, before: ModelEntry, after: ModelEntry, options: ChangeOptions) -> None:
        """Records and writes another entry; servers are not asked to read it.

        Raises:
            Failed: Somebody else changed the file, or it cannot be written.
        """
        if after == before:
            return
        versions = {"versions": sorted(after.policy.versions)}
        labels = dict(sorted(after.labels.items()))
        if self.is_candidate:
            details = {**versions, "labels": labels}
            self.record(EventKind.CANDIDATE_SET, options=options, details=details)
        if after.policy != before.policy and not self.is_candidate:
            self.record(EventKind.VERSIONS_SET, options=options, details=versions)
        if after.labels != before.labels and not self.is_candidate:
            self.record(EventKind.LABELS_SET, options=options, details=labels)
        self.config.change(before, after)

    def reload(self) -> None:
        """Sends the model config file to every server; logs which of them refused it."""
        self._wait.reload_errors = self.config.send(self.replicas.reload_config)
        for target, error in self._wait.reload_errors.items():
            self.log(f"  {target} refused the reload ({error}); it may still read the file")
