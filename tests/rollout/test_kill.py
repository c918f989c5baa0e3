"""A run that is killed at any moment, and run again, comes to the same end.

Everything that a run leaves behind outside its own memory is an effect: a line of the history, a
file put in place, a reload that reached a replica, a version's folder. The run is killed just
before and just after each of them, and after that has none any more: not even what it would do
on its way out.
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
from support.rollout_bench import STOCK, WITH_PREVIOUS, Bench, Gates, parsed

TORN = b'{"format":2,"kind":"vers'
"""What is on disk of a line when the process dies in the middle of it."""


class Killed(BaseException):
    """The process is gone."""


class Life:
    """Of one process: it has so many effects, and then it is dead."""

    def __init__(self, effects, *, done):
        self.left = effects
        self.done = done
        self.dead = False
        self.at = ""

    def effect(self, name, act, *, half=lambda: None):
        """Does it, unless the process is dead by then."""
        if self.dead:
            raise Killed
        self.left -= 1
        if self.left:
            return act()
        self.dead, self.at = True, f"{'after' if self.done else 'before'} {name}"
        if self.done:
            act()
        else:
            half()
        raise Killed


class Lives:
    """Effects, put in the place of the real ones, of whichever process lives."""

    def __init__(self, monkeypatch, bench):
        self.life = Life(0, done=True)
        bench_file, fleet = bench.file, bench.fleet
        add, replace, reload_one = EventLog.append, atomic_file.write, FakeReplicas.reload_one

        def added(history, event):
            def torn():
                with history.path.open("ab") as file:
                    file.write(TORN)

            return self.life.effect(event.kind, lambda: add(history, event), half=torn)

        def replaced(path, text):
            def act():
                if path == bench_file:
                    fleet.check_config(parsed(text))
                replace(path, text)

            return self.life.effect(path.name, act)

        def pushed(fleet, replica, message):
            return self.life.effect(
                f"push to {replica.target}", lambda: reload_one(fleet, replica, message)
            )

        monkeypatch.setattr(EventLog, "append", added)
        monkeypatch.setattr(atomic_file, "write", replaced)
        monkeypatch.setattr(FakeReplicas, "reload_one", pushed)
        for module, name in ((shutil, "copytree"), (shutil, "rmtree"), (os, "rename")):
            self.wrap(monkeypatch, module, name)

    def wrap(self, monkeypatch, module, name):
        real = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *given: self.life.effect(name, lambda: real(*given))
        )


def end(bench):
    """Everything by which two ends can be told apart."""
    return {
        "recorded": bench.recorded,
        "weights": bench.weights,
        "loaded": bench.loaded(),
        "answers": [dict(sorted(one.labels["seq2sum"].items())) for one in bench.fleet.servers],
        "on disk": bench.contents(),
        "runs": bench.outcomes(),
        "burned": set(bench.deployment().observe().burned),
    }


def outcome(bench, folder):
    """What a run came to."""
    try:
        return bench.run(folder)
    except Failed as error:
        return error.code


SECOND = {"config": WITH_PREVIOUS, "on_disk": (1, 2)}
BEFORE, AFTER = False, True
RUNS = {
    "good, of a model that no rollout has touched": ({}, {"config": STOCK}, BEFORE),
    "good, with a version before that goes": ({}, SECOND, BEFORE),
    "good, and killed just after": ({}, SECOND, AFTER),
    "bad at its files": ({"contract": "Failed"}, {}, BEFORE),
    "bad without traffic": ({"golden": "Failed"}, {}, BEFORE),
    "bad in the bake": ({"errors 5": "Failed"}, SECOND, BEFORE),
    "bad in the bake, and killed just after": ({"errors 5": "Failed"}, SECOND, AFTER),
    "broken": ({"broken": True}, {}, BEFORE),
}


@pytest.mark.parametrize(("script", "how", "done"), RUNS.values(), ids=RUNS)
def test_killed_at_any_effect_and_run_again_it_comes_to_the_same_end(
    tmp_path, monkeypatch, script, how, done
):
    wanted = None
    for effects in itertools.chain([0], itertools.count(1)):
        with monkeypatch.context() as patch:
            bench = Bench(tmp_path / str(effects), patch, gates=Gates(**script), **how)
            if "broken" in script:
                bench.fleet.broken.add(2)
            folder = bench.export(9)
            lives = Lives(patch, bench)
            lives.life = Life(effects, done=done)
            try:
                code = outcome(bench, folder)
            except Killed:
                code = None
            killed = lives.life
            lives.life = Life(0, done=True)
            if effects % 2:  # servers go on, or the next process is at once there
                bench.fleet.settle()
            if code is None and not bench.outcomes():
                code = outcome(bench, folder)
            found = (code, end(bench))
            if effects == 0:
                wanted = found
                continue
            if not killed.dead:
                break
        over = killed.at == "after run ended"  # there was nothing left to do but to say so
        assert found[1] == wanted[1], killed.at
        assert found[0] == wanted[0] or over, killed.at
    assert effects > 10
    good = not script
    assert wanted[0] is (Exit.DONE if good else Exit.FAILED)
    assert found == wanted
