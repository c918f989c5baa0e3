"""Replicas without server processes, which behave like TensorFlow Serving.

The manager and the label rules of the embedded server load and unload versions, one action per
tick, so fake replicas have the pitfalls that recorded cases of the real server show. Time advances
only during waits.
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
        file: The model config file that it polls; None if it only accepts reloads.
        period: Ticks per action.
    """

    def __init__(self, target, broken, *, file=None, period=1):
        self.target = target
        self.broken = broken
        self.file = file
        self.period = period
        self.error = ""
        self.ignores_config = False
        self.ticks = 0
        self.start()

    def start(self):
        """Starts without models, as after a restart."""
        self.monitor = StateMonitor()
        self.manager = Manager(self._load, self.monitor)
        self.source = FileSystemSource(self.manager.set_aspired)
        self.labels = {}
        self.busy = True

    def configure(self, message):
        """Applies a reload, or a poll of the file: labels first, then version policies."""
        if self.error or self.ignores_config:
            raise ServingError(Code.UNAVAILABLE, "gone")
        entry = config_text.find_model(message, MODEL)
        recorded = config_text.model_entry(entry)
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
        """Polls the file and the folder, and takes one action.

        Returns:
            Whether more actions may follow.
        """
        self.ticks += 1
        if self.error:
            return False
        if self.file is not None and not self.ignores_config:
            with suppress(ServingError, UsageError):  # the real server logs it
                self.configure(config_text.parse(self.file.read_text()))
        self.source.poll()
        if self.ticks % self.period == 0:
            self.busy = self.manager.step()
        return self.busy

    @property
    def versions(self):
        """The response of GetModelStatus."""
        return {
            number: VersionStatus(number, State[entry.state.name], str(entry.error or ""))
            for number, entry in self.monitor.versions(MODEL).items()
        }

    @property
    def available(self):
        states = self.monitor.versions(MODEL)
        return {n for n, entry in states.items() if entry.state.name == "AVAILABLE"}

    def resolve(self, label):
        """Returns the version that answers calls with a label; None if none does."""
        version = self.labels.get(MODEL, {}).get(label)
        return version if version in self.available else None

    def observe(self, labels):
        """Returns its state, as a client sees it."""
        if self.error:
            return Replica(self.target, error=self.error)
        return Replica(self.target, self.versions, {label: self.resolve(label) for label in labels})

    def _load(self, _, version, path):
        if version in self.broken:
            raise ServingError(Code.NOT_FOUND, BROKEN)
        return FakeServable(path)


class FakeReplicas:
    """Three servers, in place of `deployment.replicas.Replicas`.

    The first two accept reloads, one of them slowly; the third also polls the file. Each tick
    checks that callers with every label get answers.
    """

    def __init__(self, file):
        self.file = Path(file)
        self.broken = set()
        self.skipped = set()
        self.servers = [
            FakeReplica("a:1", self.broken),
            FakeReplica("b:1", self.broken, period=2),
            FakeReplica("c:1", self.broken, file=self.file),
        ]
        self.wrong_answers = {}
        """Version in the answer of a server instead of the right one, by address and version."""
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def start(self):
        """Starts all servers with the file."""
        message = config_text.parse(self.file.read_text())
        for server in self.servers:
            server.configure(message)
        self.settle(check=False)

    def tick(self, *, check=True):
        busy = [server.tick() for server in self.servers]
        if check:
            self.check()
        return any(busy)

    def settle(self, *, check=True):
        """Waits until no server has an action left."""
        quiet = 0
        while quiet < 2:
            quiet = 0 if self.tick(check=check) else quiet + 1

    def skip(self, addresses):
        self.skipped |= set(addresses)

    @property
    def called(self):
        """The servers that are not skipped."""
        return [server for server in self.servers if server.target not in self.skipped]

    def observe(self, labels):
        self.tick()
        return [server.observe(tuple(labels)) for server in self.called]

    def resolve_label(self, label):
        found = {one.target: one.error or one.resolve(label) or "NOT_FOUND" for one in self.called}
        return {
            target: self.wrong_answers.get((target, version), version)
            for target, version in found.items()
        }

    def reload_config(self, message):
        self.check_config(message)
        errors = {server.target: self.reload_one(server, message) for server in self.called}
        return {target: error for target, error in errors.items() if error}

    def reload_one(self, server, message):
        """Returns the error of a reload; empty if it was accepted."""
        try:
            server.configure(message)
        except ServingError as error:
            return str(error)
        finally:
            self.check()
        return ""

    def check(self):
        """Checks that every server has an AVAILABLE version, and one for every label."""
        for one in self.servers:
            if one.error:
                continue
            available = one.available
            assert available, f"{one.target} serves nothing"
            for label, version in one.labels.get(MODEL, {}).items():
                assert version in available, f"{one.target}: {label} is {version}, not loaded"

    def check_config(self, message):
        """Checks that a config, by reload or file, does not remove a version that callers use.

        Every label points at a version that is AVAILABLE on every replica that is up, and the
        versions that `stable` currently points at stay in the list.
        """
        entry = config_text.model_entry(config_text.find_model(message, MODEL))
        for one in self.servers:
            if one.error or not entry.labels:
                continue
            for label, version in entry.labels.items():
                assert version in one.available, f"{label} = {version}: not on {one.target}"
            stable = one.resolve(STABLE)
            if stable is not None and not one.ignores_config:
                assert stable in entry.policy.versions, f"removes {stable}, stable on {one.target}"
