"""A deployment in a folder: real files, fake replicas, and scripted gates."""

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
from seq2sum_serving.deployment.routers.client import ClientRouter
from seq2sum_serving.deployment.state import CANARY, STABLE
from seq2sum_serving.deployment.traffic import TrafficFile
from seq2sum_serving.gates import policy
from seq2sum_serving.gates.measurement import Measurement
from seq2sum_serving.rollout import (
    commands,
    dry_run,
    executor,
    rollback_command,
    runner,
    waiting,
)
from seq2sum_serving.rollout.candidate_group import MAX_DOWN, CandidateGroup
from seq2sum_serving.rollout.change_options import Timing
from seq2sum_serving.rollout.executor import Executor
from seq2sum_serving.rollout.in_place import InPlace
from support.fake_replicas import MODEL, FakeReplicas

STEPS = (5, 50)
CONFIG = 'model_config_list {{ config {{ name: "seq2sum" base_path: "{base}" {entry} }} }}\n'
INITIAL = 'model_platform: "tensorflow"'
"""Before the first rollout: servers load the newest version on disk by themselves."""
ADOPTED = (
    INITIAL
    + """
    model_version_policy { specific { versions: 1 } }
    version_labels { key: "stable" value: 1 }
    version_labels { key: "canary" value: 1 }"""
)
"""After the first rollout."""
WITH_PREVIOUS = (
    INITIAL
    + """
    model_version_policy { specific { versions: 1 versions: 2 } }
    version_labels { key: "stable" value: 2 }
    version_labels { key: "canary" value: 2 }
    version_labels { key: "previous" value: 1 }"""
)
"""After the second rollout."""


_parsed = cache(config_text.parse)


def parse_config(text):
    """Caches `config_text.parse`, which would otherwise take a third of the time of a run."""
    return ModelServerConfig.FromString(_parsed(text).SerializeToString())


class Clock:
    """Replaces the module `time`: only `sleep` advances it, and replicas act then."""

    def __init__(self, *groups):
        self.groups = groups
        self.now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        for replicas in self.groups:
            replicas.tick()


class Gates:
    """Replaces `Analysis`: each gate returns the scripted verdict, or else Successful.

    A script maps a gate (`evaluation`, `contract`, `golden`, or `errors` with the weight of the
    step) to a verdict, or to a function that is called at that moment.
    """

    def __init__(self, **script):
        self.script = {key.replace("_", " "): value for key, value in script.items()}

    def __call__(self, placement, version, stable, *_, **__):
        self.placement, self.version, self.stable = placement, version, stable
        return self

    def judge_files(self):
        return [self._measure("evaluation"), self._measure("contract")]

    judge_without_changes = judge_files

    def memory(self):
        return None

    def judge_loaded(self, _):
        self._assert_label(STABLE, self.stable)
        for replica in self.placement.replicas.servers:
            assert {self.version, self.stable} <= replica.available
        return [self._measure("golden")]

    def judge_step(self, _, is_ended, report, **__):
        weight = self.placement.stable.router.read().candidate
        self._assert_label(CANARY, self.version, self.placement.replicas)
        self._assert_label(STABLE, self.stable)
        measurement = self._measure("errors", f"errors {weight:g}")
        report("probes")
        is_ended()
        return [measurement]

    def _assert_label(self, label, version, replicas=None):
        replicas = replicas or self.placement.stable.replicas
        assert {one.resolve(label) for one in replicas.called} == {version}

    def _measure(self, gate, moment=None):
        verdict = self.script.get(moment or gate, Verdict.SUCCESSFUL)
        if callable(verdict):
            verdict()
            verdict = Verdict.SUCCESSFUL
        return Measurement(gate, Verdict(verdict), f"{verdict} it", {"share": 1.0})


class Bench:
    """Version 1 serves on three replicas; tests roll out others.

    Args:
        folder: Contains all files.
        monkeypatch: Replaces the clock and the gates.
        config: The entry of the model in the model config file.
        on_disk: Version numbers on disk.
        gates: The scripted gates.
        candidate_group: Whether versions are judged in a candidate group, of one server.
        unlabelled_callers: As in the policy.
    """

    def __init__(
        self,
        folder,
        monkeypatch,
        *,
        config=ADOPTED,
        on_disk=(1,),
        gates=None,
        candidate_group=False,
        unlabelled_callers="none",
    ):
        self.folder = folder
        self.base = folder / "models"
        for version in on_disk:
            self.export(version, self.base / str(version))
        self.file = folder / "models.config"
        self.file.write_text(CONFIG.format(base=self.base, entry=config))
        monkeypatch.setattr(config_text, "parse", parse_config)
        self.replicas = FakeReplicas(self.file)
        self.candidates = None
        if candidate_group:
            self.candidate_file = folder / "candidate.config"
            self.candidate_file.write_text(self.file.read_text())
            self.candidates = FakeReplicas(self.candidate_file, ["x:1"])
            self.in_service = max(self.loaded())
            self.replicas.may_answer = self.may_answer
        self.gates = gates or Gates()
        clock = Clock(*self.groups)
        for module in (executor, runner, waiting, rollback_command):
            monkeypatch.setattr(module, "time", clock)
        self.use_analysis(monkeypatch, self.gates)
        monkeypatch.setattr("os.fsync", lambda _: None)  # nothing here must survive a power cut
        self.policy = policy.default()
        traffic = replace(self.policy.traffic, steps=STEPS, unlabelled_callers=unlabelled_callers)
        self.policy = replace(self.policy, traffic=traffic)
        self.log = []

    def use_analysis(self, monkeypatch, analysis):
        for module in (runner, dry_run, commands):
            monkeypatch.setattr(module, "Analysis", analysis)

    def export(self, content, folder=None):
        """Makes a version folder with recognizable content."""
        folder = folder or self.folder / "exports" / str(content)
        folder.mkdir(parents=True)
        (folder / SAVED_MODEL).write_text(f"content {content}")
        return folder

    @property
    def groups(self):
        return [group for group in (self.replicas, self.candidates) if group]

    def may_answer(self):
        """Returns the versions that may answer callers without a label: those that passed."""
        log = EventLog(self.folder / "seq2sum.rollouts.jsonl")
        promoted = {event.version for event in log.events() if event.kind == "promoted"}
        return {self.in_service, *promoted}

    def executor(self, replicas=None):
        """Returns the executor of a new process, for one group of servers."""
        replicas = replicas or self.replicas
        is_candidate = replicas is self.candidates
        replicas.skipped = set()
        weights = TrafficFile(self.folder / "seq2sum.traffic.json")
        return Executor(
            ModelConfigFile(replicas.file, MODEL),
            replicas,
            ModelStore(self.base),
            ClientRouter(weights, *(["x:1"] if self.candidates else [])),
            EventLog(self.folder / "seq2sum.rollouts.jsonl"),
            timing=Timing(load_timeout=30, settle=0.2),
            is_candidate=is_candidate,
            max_down=MAX_DOWN if is_candidate else float("inf"),
            log=self.log.append,
        )

    def placement(self):
        """Returns where versions are judged, in a new process."""
        if self.candidates:
            return CandidateGroup(self.executor(), self.executor(self.candidates))
        all_labelled = self.policy.traffic.unlabelled_callers == "none"
        return InPlace(self.executor(), all_labelled=all_labelled)

    def execute(self, command, **arguments):
        """Executes a command as a new process; returns its exit code or raises its error."""
        defaults = {"dry_run": False, "reason": "", "command": command, "without_gates": False}
        context = commands.CommandContext(
            argparse.Namespace(**defaults | arguments),
            self.placement(),
            self.policy,
            None,
            Console(quiet=True),
        )
        return commands.COMMANDS[command](context)

    def run(self, version_or_folder):
        return self.execute("run", version_or_folder=str(version_or_folder))

    @property
    def events(self):
        return self.executor().events()

    @property
    def event_kinds(self):
        return [event.kind for event in self.events]

    @property
    def recorded(self):
        return self.executor().config.read()

    @property
    def weights(self):
        return self.executor().router.file.read()

    @property
    def outcomes(self):
        """Version and outcome of each run that ended."""
        return [
            (event.version, event.details["outcome"])
            for event in self.events
            if event.kind == "run ended"
        ]

    def loaded(self, target=None):
        """Returns the versions that one replica, or each of them, serves once it is idle."""
        self.replicas.settle()
        [found] = {
            frozenset(replica.available)
            for replica in self.replicas.servers
            if target in (None, replica.target)
        }
        return set(found)

    def files(self):
        """Returns the content of every file and folder, except locks."""
        return {
            path: path.read_bytes() if path.is_file() else None
            for path in self.folder.rglob("*")
            if path.suffix not in (".lock", ".rollout")
        }

    def contents(self):
        """Returns the content of each version folder."""
        return {
            version: (self.base / str(version) / SAVED_MODEL).read_text()
            for version in self.executor().store.versions()
        }
