"""A rollout that is killed at any moment and run again reaches the same final state.

An effect is anything that outlives the process: a line of the event log, a replaced file, a reload
of a replica, a version folder. The run is killed just before or just after each of its effects.
From then on its process has no effects, not even in its `finally` clauses.
"""

from __future__ import annotations

import itertools
import os
import shutil

import pytest
from seq2sum_serving.deployment import atomic_file
from seq2sum_serving.deployment.errors import Exit, Failed
from seq2sum_serving.deployment.event_log import EventLog
from support.fake_replicas import FakeReplicas
from support.rollout_bench import INITIAL, WITH_PREVIOUS, Bench, Gates, parse_config

TORN = b'{"kind":"vers'
"""The partial line that is on disk if the process dies while it writes an event."""


class Killed(BaseException):
    """The process has ended."""


class Process:
    """A process that dies at its n-th effect, before or after it."""

    def __init__(self, effects, *, after):
        self.left = effects
        self.after = after
        self.dead = False
        self.death = ""

    def effect(self, name, act, *, partial=lambda: None):
        """Performs an effect, unless the process is dead; kills the process at its last one."""
        if self.dead:
            raise Killed
        self.left -= 1
        if self.left:
            return act()
        self.dead, self.death = True, f"{'after' if self.after else 'before'} {name}"
        if self.after:
            act()
        else:
            partial()
        raise Killed


class Effects:
    """Replaces the functions that have effects, and counts those of the current process."""

    def __init__(self, monkeypatch, bench, process):
        self.process = process
        groups = {group.file: group for group in bench.groups}
        append, write = EventLog.append, atomic_file.write
        reload_one = FakeReplicas.reload_one

        def count_append(history, event):
            def tear():
                with history.path.open("ab") as file:
                    file.write(TORN)

            return self.process.effect(event.kind, lambda: append(history, event), partial=tear)

        def count_write(path, text):
            def act():
                if path in groups:
                    groups[path].check_config(parse_config(text))
                write(path, text)

            return self.process.effect(path.name, act)

        def count_reload(replicas, replica, message):
            return self.process.effect(
                f"reload of {replica.target}", lambda: reload_one(replicas, replica, message)
            )

        monkeypatch.setattr(EventLog, "append", count_append)
        monkeypatch.setattr(atomic_file, "write", count_write)
        monkeypatch.setattr(FakeReplicas, "reload_one", count_reload)
        for module, name in ((shutil, "copytree"), (shutil, "rmtree"), (os, "rename")):
            self._count(monkeypatch, module, name)

    def _count(self, monkeypatch, module, name):
        real = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *args: self.process.effect(name, lambda: real(*args))
        )


def final_state(bench):
    """Returns all state that outlives a run, to compare two runs."""
    return {
        "recorded": bench.recorded,
        "weights": bench.weights,
        "loaded": bench.loaded(),
        "candidate group": bench.candidates and bench.executor(bench.candidates).config.read(),
        "labels": [
            dict(sorted(replica.labels["seq2sum"].items())) for replica in bench.replicas.servers
        ],
        "on disk": bench.contents(),
        "runs": bench.outcomes,
        "burned": set(bench.executor().observe().burned),
    }


def exit_code(bench, folder):
    try:
        return bench.run(folder)
    except Failed as error:
        return error.code


IMMORTAL = 0
SECOND = {"config": WITH_PREVIOUS, "on_disk": (1, 2)}
BEFORE, AFTER = False, True
GROUP = {"candidate_group": True}
RUNS = {
    "good version of an unmanaged model": ({}, {"config": INITIAL}, BEFORE),
    "good version after a previous one": ({}, SECOND, BEFORE),
    "good version, killed after the effect": ({}, SECOND, AFTER),
    "bad files": ({"evaluation": "Failed"}, {}, BEFORE),
    "bad files, killed after the effect": ({"evaluation": "Failed"}, {}, AFTER),
    "bad without traffic": ({"golden": "Failed"}, {}, BEFORE),
    "bad during a step": ({"errors 5": "Failed"}, SECOND, BEFORE),
    "bad during a step, killed after the effect": ({"errors 5": "Failed"}, SECOND, AFTER),
    "broken": ({"broken": True}, {}, BEFORE),
    "candidate group, good": ({}, SECOND | GROUP, BEFORE),
    "candidate group, good, killed after the effect": ({}, SECOND | GROUP, AFTER),
    "candidate group, bad without traffic": ({"golden": "Failed"}, GROUP, BEFORE),
    "candidate group, bad in a step": ({"errors 5": "Failed"}, SECOND | GROUP, BEFORE),
    "candidate group, bad in a step, killed after it": ({"errors 5": "Failed"}, GROUP, AFTER),
    "candidate group, broken": ({"broken": True}, GROUP, BEFORE),
    "candidate group, broken on a stable server": ({"broken there": True}, GROUP, BEFORE),
}


@pytest.mark.slow
@pytest.mark.parametrize(("script", "options", "after"), RUNS.values(), ids=RUNS)
def test_killed_run_reaches_the_same_state_when_it_is_run_again(
    tmp_path, monkeypatch, script, options, after
):
    expected = None
    for effects in itertools.chain([IMMORTAL], itertools.count(1)):
        with monkeypatch.context() as patch:
            bench = Bench(tmp_path / str(effects), patch, gates=Gates(**script), **options)
            if "broken" in script:
                (bench.candidates or bench.replicas).broken.add(2)
            if "broken there" in script:
                bench.replicas.servers[1].broken = {2}
            folder = bench.export(9)
            killed = Process(effects, after=after)
            replaced = Effects(patch, bench, killed)
            try:
                code = exit_code(bench, folder)
            except Killed:
                code = None
            replaced.process = Process(IMMORTAL, after=True)
            if effects % 2:  # every other time, servers act before the next process starts
                for group in bench.groups:
                    group.settle()
            if code is None and not bench.outcomes:
                code = exit_code(bench, folder)
            found = (code, final_state(bench))
            if effects == IMMORTAL:
                expected = found
                continue
            if not killed.dead:
                break
        complete = killed.death == "after run ended"  # only the exit code was lost
        assert found[1] == expected[1], killed.death
        assert found[0] == expected[0] or complete, killed.death
    assert effects > 10
    assert expected[0] is (Exit.FAILED if script else Exit.DONE)
    assert found == expected
