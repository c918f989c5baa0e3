"""A deployed model: all that a rollout looks at, and how it is brought where it should be.

Every change is in the history before it is made. Every change is two steps: versions first, and
labels when those versions are AVAILABLE on every replica. What a replica serves decides whether a
step is done, never what it answered to a reload.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.event_log import Event, EventKind, EventLog, burned
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.deployment.model_store import ModelStore
from seq2sum_serving.deployment.replicas import Replicas
from seq2sum_serving.deployment.state import LABELS, Current, Desired, ModelEntry, Policy, Replica
from seq2sum_serving.deployment.traffic import ALL_STABLE, TrafficFile
from seq2sum_serving.rollout import planner as plans
from seq2sum_serving.rollout import transitions
from seq2sum_serving.rollout.planner import Step
from seq2sum_serving.rollout.waiting import still_there, unavailable, unlabelled

LOOK_SECONDS = 0.1
"""Between two looks at the replicas while something is waited for: a server acts as often."""
TELL_SECONDS = 5.0
"""Between two words on what is waited for."""
LABEL_SECONDS = 60.0
"""For labels to move: at once by a reload, with the next poll of the file otherwise."""

DOWN = ("UNAVAILABLE", "DEADLINE_EXCEEDED")
"""What the answer of a replica that is down begins with."""


Tell = Callable[[str], None]
"""Told what is done, a line at a time."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things may take, in seconds."""

    load: float = 600.0
    """Until a version is AVAILABLE on every replica, or gone."""
    settle: float = 3.0
    """For callers to see new labels or weights."""


class Deployment:
    """One model on its replicas, with its file of record, weights and history."""

    def __init__(
        self,
        record: ModelConfigFile,
        fleet: Replicas,
        base: ModelStore,
        traffic: TrafficFile,
        history: EventLog,
        *,
        pace: Pace = Pace(),
        tell: Tell = lambda _: None,
    ) -> None:
        self.model = record.model
        self.record = record
        self.fleet = fleet
        self.base = base
        self.traffic = traffic
        self.history = history
        self.pace = pace
        self.tell = tell
        self.run = ""
        """The run that changes belong to."""
        self.insists = True
        """Whether nothing is done that the history cannot hold. To go back is more urgent."""
        self._refused: dict[str, str] = {}
        """Who did not take the last configuration, and why."""

    def observe(self) -> Current:
        """Returns everything as it is now.

        Raises:
            UsageError: The file of record, the base path or the history cannot be read.
            Failed: The name of the replicas does not resolve.
        """
        known = self.on_file()
        return replace(known, replicas=self.fleet.observe((*LABELS, *known.recorded.labels)))

    def on_file(self) -> Current:
        """Returns what files say, as if there were no replicas: none is asked.

        Raises:
            UsageError: The file of record, the base path or the history cannot be read.
        """
        return Current(self.base.versions(), self.record.read(), (), burned(self.events()))

    def check_files(self) -> None:
        """Checks that the files of a rollout can be written and read, and writes nothing.

        Raises:
            Refused: The file of record is part of a volume that cannot be changed.
            Failed: A file cannot be written.
            UsageError: The weights cannot be read; a rollback does without, and writes new ones.
        """
        self.record.check_writable()
        self.traffic.check_writable()
        if self.insists:
            self.history.check_writable()
            self.traffic.read()

    def events(self) -> list[Event]:
        """The model's history."""
        return self.history.events(self.model)

    def note(
        self,
        kind: EventKind,
        version: int | None = None,
        reason: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Adds to the history.

        Raises:
            Failed: It cannot be written, and `insists` is set.
        """
        event = Event(kind, version, reason, details or {}, run=self.run, model=self.model)
        try:
            self.history.append(event)
        except Failed as error:
            if self.insists:
                raise
            self.tell(f"  {kind}: {error}")

    def adopt(self, why: str = "") -> None:
        """Takes the model over, where it is not yet as rollouts leave it.

        Raises:
            Refused: No version serves on every replica.
            Failed: See `reach`.
        """
        current = self.observe()
        if not transitions.adopted(current):
            self.reach(transitions.adopt(current), why)
        if not self.traffic.path.exists():
            self.shift(ALL_STABLE, why)

    def hold(self, why: str = "") -> None:
        """Names the versions that are aspired to, so that what appears on disk moves nothing.

        It needs no replica: one that cannot be told reads the file.
        """
        current = self.on_file()
        if current.recorded.policy.kind == "specific":
            return
        named = Policy("specific", current.aspired)
        self._record(current.recorded, ModelEntry(named, current.recorded.labels), why)
        try:
            self._push()
        except Failed as error:
            self.tell(f"  no replica was told: {error}; they read it from {self.record.path}")

    def reach(self, wanted: Desired, why: str = "", *, down_too: bool = False) -> None:
        """Brings everything where it should be.

        Raises:
            Refused: There is no safe way; nothing was touched.
            Failed: It was begun and did not come to its end: a version cannot be loaded, a
                replica does not follow in time, somebody else changed the file.
        """
        current = self.observe()
        recorded = current.recorded
        for step in plans.plan(current, wanted, down_too=down_too):
            self._do(step, recorded, why, down_too=down_too)
            if isinstance(step, plans.Write):
                recorded = step.recorded

    def shift(self, weights: Mapping[str, float], why: str = "") -> None:
        """Puts weights in place, unless the file has them already."""
        if not self._has_weights(weights):
            self.note(EventKind.WEIGHTS_SET, details=dict(weights), reason=why)
            self.traffic.write(weights)

    def _has_weights(self, weights: Mapping[str, float]) -> bool:
        try:
            return self.traffic.path.exists() and self.traffic.read() == weights
        except UsageError as error:
            if self.insists:
                raise
            self.tell(f"  {error}; it is written anew")
            return False

    def verify(self, label: str, version: int, *, down_too: bool = False) -> None:
        """Checks on every replica that a label leads to a version.

        Raises:
            Failed: Another version answers, or none.
        """
        wrong = {
            target: answer
            for target, answer in self.fleet.resolve_label(label).items()
            if answer != version and not (down_too and str(answer).startswith(DOWN))
        }
        if wrong:
            told = "; ".join(f"{target}: {answer}" for target, answer in wrong.items())
            raise Failed(
                f"asked with label {label!r}, not every replica answers by version {version} "
                f"({told}). `status` shows what each of them serves"
            )

    def _do(self, step: Step, before: ModelEntry, why: str, *, down_too: bool) -> None:
        self.tell(str(step))
        match step:
            case plans.Write(recorded):
                self._write(before, recorded, why)
            case plans.Push():
                self._push()
            case plans.AwaitAvailable(versions):
                self._wait(lambda one: unavailable(one, versions), self.pace.load, down_too)
            case plans.AwaitLabels(labels):
                self._wait(lambda one: unlabelled(one, labels), LABEL_SECONDS, down_too)
            case plans.AwaitGone(versions):
                self._wait(lambda one: still_there(one, versions), self.pace.load, down_too)
            case plans.Settle():
                time.sleep(self.pace.settle)

    def _write(self, before: ModelEntry, after: ModelEntry, why: str) -> None:
        self._record(before, after, why)
        self._push()

    def _record(self, before: ModelEntry, after: ModelEntry, why: str) -> None:
        if after.policy != before.policy:
            versions = sorted(after.policy.versions)
            self.note(EventKind.VERSIONS_SET, details={"versions": versions}, reason=why)
        if after.labels != before.labels:
            self.note(EventKind.LABELS_SET, details=dict(after.labels), reason=why)
        self.record.change(before, after)

    def _push(self) -> None:
        self._refused = self.fleet.reload_config(self.record.message())
        for target, text in self._refused.items():
            self.tell(f"  {target} did not take it ({text}); it may read the file by itself")

    def _wait(self, missing: Callable[[Replica], str], seconds: float, down_too: bool) -> None:
        """Looks until nothing is missing on any replica.

        Raises:
            Failed: A replica says that it will never come, or the time is over.
        """
        began = told = time.monotonic()
        while True:
            replicas = self.fleet.observe((*LABELS, *self.record.read().labels))
            waiting = [
                f"{one.target}: {missing(one) if one.up else f'does not answer: {one.error}'}"
                for one in replicas
                if (missing(one) if one.up else not down_too)
            ]
            now = time.monotonic()
            if not waiting:
                return
            if now - began > seconds:
                raise Failed(
                    f"waited {seconds:g} s in vain ({'; '.join(waiting)}). {self._hint()} "
                    "`status` shows every replica; the server's log says more"
                )
            if now - told >= TELL_SECONDS:
                told = now
                self.tell(f"  {now - began:.0f} s: {'; '.join(waiting)}")
            time.sleep(LOOK_SECONDS)

    def _hint(self) -> str:
        """What may keep replicas from following."""
        if self._refused:
            return " ".join(f"{target} {text}." for target, text in self._refused.items())
        for config in self.record.message().model_config_list.config:
            path = Path(config.base_path)
            if config.name != self.model and path.is_absolute() and not path.is_dir():
                return (
                    f"Is the base path of model {config.name!r} there, {path}? While one is "
                    "missing, a server takes up no version of any model."
                )
        return (
            "Do the servers read this very file, and poll it "
            "(--model_config_file_poll_wait_seconds)?"
        )
