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
from seq2sum_serving.deployment.caller_versions import CallerVersions
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
    """A group of servers, by default three, in place of `deployment.replicas.Replicas`.

    The first two accept reloads, one of them slowly; the third also polls the file. Each tick
    checks that callers with every label get answers.

    Args:
        file: Their model config file.
        targets: Their addresses.
        may_answer: Returns the versions that may answer callers without a label; any by default.
    """

    def __init__(self, file, targets=("a:1", "b:1", "c:1"), may_answer=None):
        self.file = Path(file)
        self.broken = set()
        self.skipped = set()
        self.may_answer = may_answer
        options = ({}, {"period": 2}, {"file": self.file})
        self.servers = [
            FakeReplica(target, self.broken, **options[index])
            for index, target in enumerate(targets)
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
        """The servers that are not skipped; as in `Replicas`, it is an error if all are."""
        called = [server for server in self.servers if server.target not in self.skipped]
        assert called
        return called

    def observe(self, labels):
        self.tick()
        return [server.observe(tuple(labels)) for server in self.called]

    def caller_versions(self, label):
        return {one.target: self._caller_versions(one, label) for one in self.called}

    def _caller_versions(self, one, label):
        found = (one.resolve(label), max(one.available, default=None))
        answers = [one.error or ("NOT_FOUND" if v is None else v) for v in found]
        return CallerVersions(
            *(self.wrong_answers.get((one.target, answer), answer) for answer in answers)
        )

    def resolve_label(self, label):
        """Returns the version behind a label by address, or an error."""
        return {target: each.labelled for target, each in self.caller_versions(label).items()}

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
            if self.may_answer:
                allowed = self.may_answer()
                assert max(available) in allowed, f"{one.target}: {available}, not {allowed}"
            for label, version in one.labels.get(MODEL, {}).items():
                assert version in available, f"{one.target}: {label} is {version}, not loaded"

    def check_config(self, message):
        """Checks that a config, by reload or file, does not remove a version that callers use.

        Every label points at a version that is AVAILABLE on every replica that is up, and the
        version that `stable` points at stays in the list, unless the label moves.
        """
        entry = config_text.model_entry(config_text.find_model(message, MODEL))
        for one in self.servers:
            if one.error or not entry.labels:
                continue
            for label, version in entry.labels.items():
                assert version in one.available, f"{label} = {version}: not on {one.target}"
            stable = one.resolve(STABLE)
            moves = entry.labels.get(STABLE) != stable
            if stable is not None and not one.ignores_config and not moves:
                assert stable in entry.policy.versions, f"removes {stable}, stable on {one.target}"
