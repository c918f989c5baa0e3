"""Replicas without a server, which behave as TensorFlow Serving does.

Versions are loaded and let go by the embedded server's own manager and label rules, an action a
tick; so the traps of the real server are those that its recorded answers prove. Time is a clock
that moves only while somebody waits.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from seq2sum import State, VersionStatus
from seq2sum_serving.deployment import config_text
from seq2sum_serving.deployment.errors import UsageError
from seq2sum_serving.deployment.state import STABLE, Replica
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.lifecycle import labels as label_rules
from seq2sum_serving.embedded.lifecycle.manager import Manager
from seq2sum_serving.embedded.lifecycle.source import FileSystemSource, Monitored
from seq2sum_serving.embedded.lifecycle.states import StateMonitor
from seq2sum_serving.embedded.lifecycle.versions import All, Latest, Specific
from support.fake_loader import FakeServable

MODEL = "seq2sum"
BROKEN = "Specified file path does not appear to contain a SavedModel bundle"


class FakeReplica:
    """One server.

    Args:
        target: Its address.
        broken: Versions that it cannot load.
        file: The model config file that it polls; None if it only takes reloads.
        pause: Ticks between two of its actions.
    """

    def __init__(self, target, broken, *, file=None, pause=1):
        self.target = target
        self.broken = broken
        self.file = file
        self.pause = pause
        self.error = ""
        self.deaf = False
        self.ticks = 0
        self.start()

    def start(self):
        """A process without models, as after a restart."""
        self.monitor = StateMonitor()
        self.manager = Manager(self._load, self.monitor)
        self.source = FileSystemSource(self.manager.set_aspired)
        self.labels = {}
        self.busy = True

    def configure(self, message):
        """A reload, or a poll of the file: labels first, then what is looked at."""
        if self.error or self.deaf:
            raise ServingError(Code.UNAVAILABLE, "gone")
        entry = config_text.entry(message, MODEL)
        recorded = config_text.recorded(entry)
        self.labels = label_rules.assigned(
            {MODEL: recorded.labels},
            self.labels,
            lambda _, version: version in self.available,
            allow_unavailable=True,
        )
        policy = {
            "all": All(),
            "latest": Latest(recorded.policy.count),
            "specific": Specific(recorded.policy.versions),
        }[recorded.policy.kind]
        self.source.update({MODEL: Monitored(entry.base_path, policy)})

    def tick(self):
        """A moment: it looks at its file and at its folder, and takes one step.

        Whether there may be more to do.
        """
        self.ticks += 1
        if self.error:
            return False
        if self.file is not None and not self.deaf:
            with suppress(ServingError, UsageError):  # the real one logs it
                self.configure(config_text.parsed(self.file.read_text()))
        self.source.poll()
        if self.ticks % self.pause == 0:
            self.busy = self.manager.step()
        return self.busy

    @property
    def versions(self):
        """What GetModelStatus says."""
        return {
            number: VersionStatus(number, State[entry.state.name], str(entry.error or ""))
            for number, entry in self.monitor.versions(MODEL).items()
        }

    @property
    def available(self):
        states = self.monitor.versions(MODEL)
        return {n for n, entry in states.items() if entry.state.name == "AVAILABLE"}

    def behind(self, label):
        """The version that answers a call with this label; None if none does."""
        version = self.labels.get(MODEL, {}).get(label)
        return version if version in self.available else None

    def seen(self, labels):
        """What a look at it finds."""
        if self.error:
            return Replica(self.target, error=self.error)
        return Replica(self.target, self.versions, {label: self.behind(label) for label in labels})

    def _load(self, _, version, path):
        if version in self.broken:
            raise ServingError(Code.NOT_FOUND, BROKEN)
        return FakeServable(path)


class FakeReplicas:
    """Three of them, in the place of `rollout.fleet.Replicas`.

    The first two take reloads, one of them slowly; the third one polls the file, too. At every
    moment it is seen that no caller is left without an answer.
    """

    def __init__(self, file):
        self.file = Path(file)
        self.broken = set()
        self.replicas_ = [
            FakeReplica("a:1", self.broken),
            FakeReplica("b:1", self.broken, pause=2),
            FakeReplica("c:1", self.broken, file=self.file),
        ]
        self.lies = {}
        """What a replica says in the place of a version that answers, by address and version."""
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def start(self):
        """All of them start with what the file says."""
        message = config_text.parsed(self.file.read_text())
        for replica in self.replicas_:
            replica.configure(message)
        self.settle(check=False)

    def tick(self, *, check=True):
        busy = [replica.tick() for replica in self.replicas_]
        if check:
            self.check()
        return any(busy)

    def settle(self, *, check=True):
        """Until everything has come to rest."""
        quiet = 0
        while quiet < 2:
            quiet = 0 if self.tick(check=check) else quiet + 1

    def observe(self, labels):
        self.tick()
        return [replica.seen(tuple(labels)) for replica in self.replicas_]

    def resolve_label(self, label):
        said = {one.target: one.error or one.behind(label) or "NOT_FOUND" for one in self.replicas_}
        return {target: self.lies.get((target, truth), truth) for target, truth in said.items()}

    def reload_config(self, message):
        self.check_told(message)
        return {
            replica.target: said
            for replica in self.replicas_
            if (said := self.reload_one(replica, message))
        }

    def reload_one(self, replica, message):
        """What a replica says that does not take it."""
        try:
            replica.configure(message)
        except ServingError as error:
            return str(error)
        finally:
            self.check()
        return ""

    def check(self):
        """Some version answers, and every label that was given out means one that does."""
        for one in self.replicas_:
            if one.error:
                continue
            available = one.available
            assert available, f"{one.target} serves nothing"
            for label, version in one.labels.get(MODEL, {}).items():
                assert version in available, f"{one.target}: {label} is {version}, not loaded"

    def check_told(self, message):
        """What servers are told, by a reload or a file, never takes away what serves.

        Every label rests on a version that is AVAILABLE on every replica that is up, and what a
        label still means anywhere stays in the list.
        """
        told = config_text.recorded(config_text.entry(message, MODEL))
        for one in self.replicas_:
            if one.error or not told.labels:
                continue
            for label, version in told.labels.items():
                assert version in one.available, f"{label} = {version} before {one.target} has it"
            stable = one.behind(STABLE)
            if stable is not None and not one.deaf:
                assert stable in told.policy.versions, f"{stable} leaves and serves {one.target}"
