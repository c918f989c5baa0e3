"""A whole deployment in a folder: real files, replicas that pretend, gates that are scripted."""

from __future__ import annotations

import argparse
from functools import cache

from msgspec.structs import replace
from rich.console import Console
from seq2sum.protocol.model_server_config_pb2 import ModelServerConfig
from seq2sum_serving.deployment import config_text
from seq2sum_serving.deployment.event_log import EventLog, Verdict
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.deployment.model_store import SAVED_MODEL, ModelStore
from seq2sum_serving.deployment.state import CANARY, STABLE
from seq2sum_serving.deployment.traffic import TrafficFile
from seq2sum_serving.gates import policy
from seq2sum_serving.gates.measurement import Measurement
from seq2sum_serving.rollout import commands, rehearsal, runner
from seq2sum_serving.rollout import executor as deployment
from seq2sum_serving.rollout.executor import Deployment, Pace
from support.fake_replicas import MODEL, FakeReplicas

STEPS = (5, 50)
PLAIN = 'model_config_list {{ config {{ name: "seq2sum" base_path: "{base}" {more} }} }}\n'
STOCK = 'model_platform: "tensorflow"'
"""As before the first rollout: the newest version on disk is taken up by itself."""
ADOPTED = (
    STOCK
    + """
    model_version_policy { specific { versions: 1 } }
    version_labels { key: "stable" value: 1 }
    version_labels { key: "canary" value: 1 }"""
)
"""As rollouts leave it."""
WITH_PREVIOUS = (
    STOCK
    + """
    model_version_policy { specific { versions: 1 versions: 2 } }
    version_labels { key: "stable" value: 2 }
    version_labels { key: "canary" value: 2 }
    version_labels { key: "previous" value: 1 }"""
)
"""And after a second one."""


_parsed = cache(config_text.parse)


def parsed(text):
    """As `config_text.parse`, which takes a third of a run's time otherwise."""
    return ModelServerConfig.FromString(_parsed(text).SerializeToString())


class Clock:
    """In the place of the module `time`: it moves when somebody waits, and servers go on then."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.fleet.tick()


class Gates:
    """In the place of `Inspection`: each gate finds what the script says, once or always.

    A script names a moment (`contract`, `golden`, or `errors` with the percent of the traffic) and
    gives a verdict, or something to do there. Without a word everything passes.
    """

    def __init__(self, **script):
        self.script = {key.replace("_", " "): value for key, value in script.items()}
        self.asked = []

    def __call__(self, deployment, version, stable, *_, **__):
        self.deployment, self.version, self.stable = deployment, version, stable
        return self

    def on_disk(self):
        return [self._found("contract")]

    def without_changes(self):
        return self.on_disk()

    def memory(self):
        return None

    def loaded(self, _):
        assert set(self.deployment.fleet.resolve_label(STABLE).values()) == {self.stable}
        return [self._found("golden")]

    def bake(self, _, ended, told, **__):
        weight = self.deployment.traffic.read()[CANARY]
        assert set(self.deployment.fleet.resolve_label(CANARY).values()) == {self.version}
        assert set(self.deployment.fleet.resolve_label(STABLE).values()) == {self.stable}
        found = self._found("errors", f"errors {weight:g}")
        told("probes")
        ended()
        return [found]

    def _found(self, gate, moment=None):
        moment = moment or gate
        self.asked.append(moment)
        told = self.script.get(moment, Verdict.SUCCESSFUL)
        if callable(told):
            told()
            told = Verdict.SUCCESSFUL
        return Measurement(gate, Verdict(told), f"{told} it", {"share": 1.0})


class Bench:
    """Version 1 serves on three replicas; more are put to a run.

    Args:
        folder: Where all of it is.
        monkeypatch: Puts the clock and the gates in their places.
        config: What the file of record says of the model besides its name and path.
        on_disk: Versions there.
        gates: What they find.
    """

    def __init__(self, folder, monkeypatch, *, config=ADOPTED, on_disk=(1,), gates=None):
        self.folder = folder
        self.base = folder / "models"
        for version in on_disk:
            self.export(version, self.base / str(version))
        self.file = folder / "models.config"
        self.file.write_text(PLAIN.format(base=self.base, more=config))
        monkeypatch.setattr(config_text, "parse", parsed)
        self.fleet = FakeReplicas(self.file)
        self.gates = gates or Gates()
        clock = Clock(self.fleet)
        monkeypatch.setattr(deployment, "time", clock)
        monkeypatch.setattr(runner, "time", clock)
        for module in (runner, rehearsal, commands):
            monkeypatch.setattr(module, "Inspection", self.gates)
        monkeypatch.setattr("os.fsync", lambda _: None)  # nothing here outlives a power cut
        self.policy = policy.default()
        self.policy = replace(self.policy, traffic=replace(self.policy.traffic, steps=STEPS))
        self.said = []

    def export(self, content, to=None):
        """A version folder, as far as a disk sees it."""
        to = to or self.folder / "exports" / str(content)
        to.mkdir(parents=True)
        (to / SAVED_MODEL).write_text(f"content {content}")
        return to

    def deployment(self):
        """As a process that has just begun sees it."""
        return Deployment(
            ModelConfigFile(self.file, MODEL),
            self.fleet,
            ModelStore(self.base),
            TrafficFile(self.folder / "traffic.json"),
            EventLog(self.folder / "rollouts.jsonl"),
            pace=Pace(load=30, settle=0.2),
            tell=self.said.append,
        )

    def do(self, verb, **options):
        """A verb by a process of its own; gives back its exit code or raises what it raises."""
        options = {"dry_run": False, "why": "", "verb": verb, "without_gates": False} | options
        task = commands.Task(
            argparse.Namespace(**options), self.deployment(), self.policy, None, Console(quiet=True)
        )
        return commands.VERBS[verb](task)

    def run(self, what):
        return self.do("run", what=str(what))

    @property
    def events(self):
        return self.deployment().events()

    @property
    def done(self):
        """What the history says, a word each."""
        return [event.kind for event in self.events]

    @property
    def recorded(self):
        return self.deployment().record.read()

    @property
    def weights(self):
        return self.deployment().traffic.read()

    def outcomes(self):
        """How runs ended: version and word."""
        return [
            (event.version, event.details["outcome"])
            for event in self.events
            if event.kind == "run ended"
        ]

    def loaded(self):
        """The versions that replicas serve when all has come to rest; all the same on each."""
        self.fleet.settle()
        [found] = {frozenset(one.available) for one in self.fleet.servers}
        return set(found)

    def loaded_on(self, target):
        """The versions that one replica serves when all has come to rest."""
        self.fleet.settle()
        [found] = [one for one in self.fleet.servers if one.target == target]
        return set(found.available)

    def contents(self):
        """What is in each version's folder."""
        return {
            number: (self.base / str(number) / SAVED_MODEL).read_text()
            for number in self.deployment().base.versions()
        }
