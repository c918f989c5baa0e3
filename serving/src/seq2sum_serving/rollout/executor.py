"""Observes a deployed model and carries out the steps of a plan.

Every change is in the history before it is made. Versions change before labels do, and labels move
only when their versions are AVAILABLE on every replica. Whether a step is complete depends on what
replicas serve, never on their reply to a reload.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from seq2sum_serving.deployment import in_service
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.event_log import Event, EventKind, EventLog, burned
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.deployment.model_store import ModelStore
from seq2sum_serving.deployment.replicas import DOWN, Replicas
from seq2sum_serving.deployment.state import LABELS, Current, Desired, ModelEntry, Policy, Replica
from seq2sum_serving.deployment.traffic import ALL_STABLE, TrafficFile
from seq2sum_serving.rollout import planner, transitions
from seq2sum_serving.rollout.change_options import DEFAULT_TIMING, DEFAULTS, ChangeOptions, Timing
from seq2sum_serving.rollout.planner import Step
from seq2sum_serving.rollout.wait_conditions import not_available, still_serving, wrong_labels

POLL_INTERVAL = 0.1
"""Seconds between two observations while a step waits. A server loads or unloads versions at the
same interval (aspired_versions_manager.h in tensorflow/serving)."""
LOG_INTERVAL = 5.0
"""Seconds between two log lines while a step waits."""
LABEL_TIMEOUT = 60.0
"""Limit in seconds for labels to move: they do at once after a reload, otherwise when the server
next polls the file."""

Content = TypeVar("Content")

Log = Callable[[str], None]
"""Receives progress, one line at a time."""


class Executor:
    """One model on its replicas, with its model config file, versions, weights and history."""

    def __init__(
        self,
        config: ModelConfigFile,
        replicas: Replicas,
        store: ModelStore,
        traffic: TrafficFile,
        history: EventLog,
        *,
        timing: Timing = DEFAULT_TIMING,
        log: Log = lambda _: None,
    ) -> None:
        self.model = config.model
        self.config = config
        self.replicas = replicas
        self.store = store
        self.traffic = traffic
        self.history = history
        self.timing = timing
        self.log = log
        self._reload_errors: dict[str, str] = {}
        """Errors of the last reload by replica."""

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
            UsageError: The weights cannot be read, and the history is required.
        """
        self.config.check_writable()
        self.traffic.check_writable()
        if require_history:
            self.history.check_writable()
            self.traffic.read()

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
        if not self.traffic.path.exists():
            self.set_weights(ALL_STABLE, options)

    def pin_versions(self, options: ChangeOptions = DEFAULTS) -> None:
        """Lists the aspired versions by number, so that a new folder on disk changes nothing.

        Needs no replica: those that cannot be reached read the file.
        """
        current = self.observe_files()
        if current.recorded.policy.kind == "specific":
            return
        policy = Policy("specific", current.aspired)
        self._write_entry(current.recorded, ModelEntry(policy, current.recorded.labels), options)
        try:
            self._reload()
        except Failed as error:
            self.log(f"  no replica was reloaded: {error}; they read {self.config.path}")

    def apply(self, desired: Desired, options: ChangeOptions = DEFAULTS) -> None:
        """Brings files and replicas to the desired state.

        Raises:
            Refused: No safe steps exist; nothing was changed.
            Failed: A step failed: a version cannot be loaded, a replica did not follow in time, or
                somebody else changed the file.
        """
        current = self.observe()
        entry = current.recorded
        steps = planner.plan(current, desired, allow_down_replicas=options.allow_down_replicas)
        for step in steps:
            self._execute(step, entry, options)
            if isinstance(step, planner.WriteConfig):
                entry = step.entry

    def set_weights(self, weights: Mapping[str, float], options: ChangeOptions = DEFAULTS) -> None:
        """Writes traffic weights, unless the file has them already."""
        if not self._has_weights(weights, options):
            self.record(EventKind.WEIGHTS_SET, options=options, details=dict(weights))
            self.traffic.write(weights)

    def _has_weights(self, weights: Mapping[str, float], options: ChangeOptions) -> bool:
        try:
            return self.traffic.path.exists() and self.traffic.read() == weights
        except UsageError as error:
            if options.require_history:
                raise
            self.log(f"  {error}; replacing the file")
            return False

    def verify(self, label: str, version: int, options: ChangeOptions = DEFAULTS) -> None:
        """Checks that a label resolves to a version on every replica.

        Raises:
            Failed: It resolves to another version, or to none.
        """
        wrong = [
            f"{target}: {found}"
            for target, found in self.replicas.resolve_label(label).items()
            if found != version
            and not (options.allow_down_replicas and str(found).startswith(DOWN))
        ]
        if wrong:
            raise Failed(
                f"label {label!r} does not resolve to version {version} on every replica "
                f"({'; '.join(wrong)}): see `status` for what each of them serves"
            )

    def _execute(self, step: Step, before: ModelEntry, options: ChangeOptions) -> None:
        self.log(str(step))
        allow_down, load_timeout = options.allow_down_replicas, self.timing.load_timeout
        match step:
            case planner.WriteConfig(entry):
                self._write_entry(before, entry, options)
                self._reload()
            case planner.ReloadConfig():
                self._reload()
            case planner.AwaitAvailable(versions):
                self._wait(
                    lambda replica: not_available(replica, versions), load_timeout, allow_down
                )
            case planner.AwaitLabels(labels):
                self._wait(lambda replica: wrong_labels(replica, labels), LABEL_TIMEOUT, allow_down)
            case planner.AwaitUnloaded(versions):
                self._wait(
                    lambda replica: still_serving(replica, versions), load_timeout, allow_down
                )
            case planner.Settle():
                time.sleep(self.timing.settle)

    def _write_entry(self, before: ModelEntry, after: ModelEntry, options: ChangeOptions) -> None:
        if after.policy != before.policy:
            versions = {"versions": sorted(after.policy.versions)}
            self.record(EventKind.VERSIONS_SET, options=options, details=versions)
        if after.labels != before.labels:
            self.record(EventKind.LABELS_SET, options=options, details=dict(after.labels))
        self.config.change(before, after)

    def _reload(self) -> None:
        self._reload_errors = self.config.send(self.replicas.reload_config)
        for target, error in self._reload_errors.items():
            self.log(f"  {target} refused the reload ({error}); it may still read the file")

    def _wait(self, missing: Callable[[Replica], str], timeout: float, allow_down: bool) -> None:
        """Polls until nothing is missing on any replica.

        Raises:
            Failed: A version failed to load, or the timeout passed.
        """
        start = logged = time.monotonic()
        while True:
            replicas = self.replicas.observe((*LABELS, *self.config.read().labels))
            states = {replica.target: missing(replica) for replica in replicas if replica.up}
            if not allow_down:
                down = (replica for replica in replicas if not replica.up)
                states |= {replica.target: f"does not answer: {replica.error}" for replica in down}
            waiting = [f"{target}: {state}" for target, state in states.items() if state]
            now = time.monotonic()
            if not waiting:
                return
            if now - start > timeout:
                raise Failed(
                    f"timed out after {timeout:g} s ({'; '.join(waiting)}). {self._hint()} "
                    "See `status` for every replica, and the servers' logs"
                )
            if now - logged >= LOG_INTERVAL:
                logged = now
                self.log(f"  {now - start:.0f} s: {'; '.join(waiting)}")
            time.sleep(POLL_INTERVAL)

    def _hint(self) -> str:
        """Returns a possible cause for replicas that do not follow."""
        if self._reload_errors:
            return " ".join(f"{target} {error}." for target, error in self._reload_errors.items())
        for model, path in self.config.other_base_paths().items():
            if not path.is_dir():
                return (
                    f"Does {path} exist, the base path of model {model!r}? While a base path "
                    "is missing, a server finds no new version of any model."
                )
        return (
            f"Do the servers read {self.config.path}, and poll it "
            "(--model_config_file_poll_wait_seconds)?"
        )
