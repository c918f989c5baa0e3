"""Runs: all phases of a good version, and traffic that stays with stable whenever a run fails."""

from __future__ import annotations

import pytest
from seq2sum import State
from seq2sum_serving.deployment import run_state
from seq2sum_serving.deployment.errors import Exit, Failed, Inconclusive, Moved, Refused
from seq2sum_serving.deployment.traffic import ALL_STABLE
from seq2sum_serving.rollout import transitions
from seq2sum_serving.rollout.change_options import ChangeOptions
from support.rollout_bench import INITIAL, WITH_PREVIOUS, Bench

ONLY_1 = {"stable": 1, "canary": 1}
GATES = ["evaluation", "contract", "golden", "errors 5", "errors 50"]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return Bench(tmp_path, monkeypatch)


def assert_only_version_1(bench):
    assert bench.recorded.labels == ONLY_1
    assert bench.recorded.policy.versions == {1}
    assert bench.weights == ALL_STABLE
    assert bench.loaded() == {1}
    assert set(bench.replicas.resolve_label("stable").values()) == {1}


def test_run_shifts_traffic_to_a_good_version_step_by_step(bench):
    bench.export(2, bench.base / "2")
    assert bench.run(2) is Exit.DONE
    assert bench.recorded.labels == {"stable": 2, "canary": 2, "previous": 1}
    assert bench.weights == ALL_STABLE
    assert bench.loaded() == {1, 2}
    assert bench.event_kinds == [
        "run started",
        "weights set",
        *["measurement"] * 2,
        "files passed",
        "versions set",
        "measurement",
        "analysis passed",
        "labels set",
        *["weights set", "step started", "measurement", "step completed"] * 2,
        "promoted",
        "labels set",
        "weights set",
        "run ended",
    ]
    weights = [event.details for event in bench.events if event.kind == "weights set"]
    assert weights == [
        ALL_STABLE,
        {"stable": 95, "canary": 5},
        {"stable": 50, "canary": 50},
        ALL_STABLE,
    ]
    assert len({event.run for event in bench.events}) == 1


def test_run_adopts_an_unmanaged_model_before_it_publishes(tmp_path, monkeypatch):
    bench = Bench(tmp_path, monkeypatch, config=INITIAL)
    assert bench.run(bench.export(2)) is Exit.DONE
    assert bench.event_kinds[:5] == [
        "versions set",
        "labels set",
        "weights set",
        "publish started",
        "run started",
    ]
    assert bench.events[0].details == {"versions": [1]}
    assert bench.events[1].details == ONLY_1
    assert bench.loaded() == {1, 2}


def test_run_unloads_the_version_before_previous(bench):
    for content in (2, 3):
        assert bench.run(bench.export(content)) is Exit.DONE
    assert bench.recorded.labels == {"stable": 3, "canary": 3, "previous": 2}
    assert bench.loaded() == {2, 3}
    assert bench.contents() == {n: f"content {n}" for n in (1, 2, 3)}


def test_rollback_after_a_run_needs_no_load(bench):
    bench.run(bench.export(2))
    assert bench.execute("rollback") is Exit.DONE
    assert bench.recorded.labels == ONLY_1
    assert bench.loaded() == {1}
    with pytest.raises(Refused, match=r"version 2 rolled back on .*: by hand\. Version numbers"):
        bench.run(2)


def test_rollback_calls_a_replica_that_hangs_only_once(tmp_path, monkeypatch):
    bench = Bench(tmp_path, monkeypatch, config=WITH_PREVIOUS, on_disk=(1, 2))
    hanging, calls = bench.replicas.servers[0], []
    hanging.error = "DEADLINE_EXCEEDED"
    for name in ("observe", "configure", "resolve"):
        call = getattr(hanging, name)
        monkeypatch.setattr(hanging, name, lambda *a, n=name, c=call: (calls.append(n), c(*a))[1])
    with pytest.raises(Moved, match="a:1 does not answer and was skipped"):
        bench.execute("rollback")
    assert calls == ["observe"]
    assert bench.recorded.labels == ONLY_1


@pytest.mark.parametrize("gate", GATES)
def test_failed_gate_aborts_the_run_and_burns_the_version(bench, gate):
    bench.gates.script[gate] = "Failed"
    folder = bench.export(2)
    with pytest.raises(Failed, match="Failed it") as raised:
        bench.run(folder)
    assert raised.value.code is Exit.FAILED
    assert_only_version_1(bench)
    assert bench.outcomes == [(2, "Failed")]
    burned = bench.executor().observe().burned
    assert "Failed it" in burned[2]
    assert ("rolled back" in burned[2]) == gate.startswith("errors")
    for replica in bench.replicas.servers:
        assert 2 not in replica.versions or replica.versions[2].state is State.END
    bench.gates.script.clear()  # the fixed model gets another number
    assert bench.run(folder) is Exit.DONE
    assert bench.recorded.labels["stable"] == 3


@pytest.mark.parametrize("gate", GATES)
def test_inconclusive_gate_keeps_the_state_and_the_next_run_resumes(bench, gate):
    bench.gates.script[gate] = "Inconclusive"
    folder = bench.export(2)
    with pytest.raises(Inconclusive, match=r"`run 2` judges it again, ") as raised:
        bench.run(folder)
    assert raised.value.code is Exit.INCONCLUSIVE
    assert bench.outcomes == [(2, "Inconclusive")]
    is_canary = gate.startswith("errors")
    assert str(raised.value).endswith(f"{'`rollback`' if is_canary else '`retire 2`'} ends the run")
    assert bench.recorded.labels == {"stable": 1, "canary": 2 if is_canary else 1}
    assert bench.loaded() == ({1} if gate in GATES[:2] else {1, 2})
    bench.gates.script.clear()
    assert bench.run(folder) is Exit.DONE  # the folder keeps its number
    assert bench.recorded.labels == {"stable": 2, "canary": 2, "previous": 1}
    assert bench.contents() == {1: "content 1", 2: "content 2"}


def test_skipped_gate_does_not_stop_a_run(bench):
    bench.gates.script["golden"] = "Skipped"
    assert bench.run(bench.export(2)) is Exit.DONE


def test_run_aborts_if_the_version_cannot_be_loaded(bench):
    bench.replicas.broken.add(2)
    with pytest.raises(Failed, match=r"version 2 could not be loaded by a:1: NOT_FOUND: Spec"):
        bench.run(bench.export(2))
    assert_only_version_1(bench)
    assert bench.outcomes == [(2, "Failed")]
    with pytest.raises(Refused, match=r"Version numbers are never reused"):
        bench.run(2)


def test_run_aborts_if_one_replica_cannot_load_the_version(bench):
    bench.replicas.servers[1].broken = {2}
    with pytest.raises(Failed, match="version 2 could not be loaded by b:1"):
        bench.run(bench.export(2))
    assert_only_version_1(bench)


@pytest.mark.parametrize("end", ["rollback", "promote", "retire"])
def test_operator_command_ends_a_killed_run(bench, end):
    class Killed(BaseException):
        """Stands for a kill of the process."""

    def killed():
        raise Killed

    moment = "golden" if end == "retire" else "errors 5"
    bench.gates.script[moment] = killed
    with pytest.raises(Killed):
        bench.run(bench.export(2))
    assert run_state.open_run(bench.events).version == 2
    bench.execute(end, version=2)
    assert run_state.open_run(bench.events) is None


def test_rollback_by_another_operator_during_a_step_ends_the_run(bench):
    def roll_back():
        bench.execute("rollback", reason="no")

    bench.gates.script["errors 50"] = roll_back
    with pytest.raises(Failed, match=r"the run of version 2 is over: somebody else ended it"):
        bench.run(bench.export(2))
    assert bench.recorded.labels == ONLY_1
    assert bench.event_kinds[-5:] == [
        "rolled back",
        "weights set",
        "versions set",
        "labels set",
        "run ended",
    ]
    assert bench.outcomes == [(2, "Failed")]
    assert_only_version_1(bench)


def test_apply_does_not_overwrite_a_concurrent_edit(bench):
    bench.export(2, bench.base / "2")
    executor = bench.executor()

    def edit_file(line):
        if line.startswith("wait until version 2 is AVAILABLE"):
            text = bench.file.read_text()
            bench.file.write_text(text.replace('"canary"', '"theirs"'))

    executor.log = edit_file
    with pytest.raises(Failed, match=r"was changed by somebody else in the meantime\. Nothing was"):
        executor.apply(transitions.start_canary(executor.observe(), 2))
    assert bench.recorded.labels == {"stable": 1, "theirs": 1}


def test_a_run_locks_out_other_commands(bench):
    other = bench.export(3)

    def execute_others():
        for command, arguments in {
            "run": {"version_or_folder": str(other)},
            "promote": {"version": 2},
            "retire": {"version": 1},
        }.items():
            with pytest.raises(Refused, match=r"another rollout of this model|is stable"):
                bench.execute(command, **arguments)

    bench.gates.script["golden"] = execute_others
    assert bench.run(bench.export(2)) is Exit.DONE
    assert sorted(bench.contents()) == [1, 2]


def test_open_run_must_be_resumed_before_another_starts(bench):
    bench.replicas.servers[0].error = "UNAVAILABLE gone"
    bench.export(2, bench.base / "2")
    bench.export(3, bench.base / "3")
    with pytest.raises(Refused, match="a replica does not answer"):
        bench.run(2)
    assert bench.event_kinds == []
    bench.replicas.servers[0].error = ""

    def stop_replica():
        bench.replicas.servers[0].error = "UNAVAILABLE gone"

    bench.gates.script["errors 50"] = stop_replica
    with pytest.raises(Moved, match=r"a replica does not answer.*`run 2` resumes it.*a share of"):
        bench.run(2)
    assert bench.outcomes == []
    bench.replicas.servers[0].error = ""
    with pytest.raises(Refused, match=r"run of version 2 has not ended: .* `rollback` ends it"):
        bench.run(3)
    assert bench.run(2) is Exit.DONE
    assert bench.recorded.labels == {"stable": 2, "canary": 2, "previous": 1}


def test_retire_ends_a_run_before_its_canary(tmp_path, monkeypatch):
    bench = Bench(tmp_path, monkeypatch, config=WITH_PREVIOUS, on_disk=(1, 2, 3, 4))
    bench.executor().record("run started", 3, ChangeOptions(run="killed"))
    with pytest.raises(Refused, match=r"`retire 3` ends it"):  # `rollback` would go back to 1
        bench.run(4)
    assert bench.execute("retire", version=3) is Exit.DONE
    assert bench.recorded.labels["stable"] == 2
    assert bench.run(4) is Exit.DONE


def test_run_of_the_stable_version_changes_nothing(bench):
    bench.export(2, bench.base / "2")
    bench.run(2)
    before = bench.contents()
    assert bench.run(2) is Exit.DONE
    assert bench.contents() == before


def test_run_aborts_if_a_replica_does_not_follow(bench):
    bench.replicas.servers[0].ignores_config = True
    with pytest.raises(Failed, match=r"timed out after 30 s \(a:1: version 2 is not listed\)"):
        bench.run(bench.export(2))
    assert_only_version_1(bench)
    assert any("a:1 refused the reload (UNAVAILABLE: gone)" in line for line in bench.log)


def test_run_aborts_if_stable_resolves_to_another_version(bench):
    bench.gates.script["errors 50"] = lambda: bench.replicas.wrong_answers.update({("b:1", 2): 7})
    with pytest.raises(Failed, match=r"not every caller gets version 2 \(b:1, label stable: 7; b:"):
        bench.run(bench.export(2))
    assert_only_version_1(bench)
    assert bench.outcomes == [(2, "Failed")]
