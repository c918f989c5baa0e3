"""A run goes its whole way, and whatever stops it leaves traffic with the version that serves."""

from __future__ import annotations

import pytest
from seq2sum import State
from seq2sum_serving.console.underway import underway
from seq2sum_serving.deployment import run_state
from seq2sum_serving.deployment.errors import Exit, Failed, Inconclusive, Refused
from seq2sum_serving.deployment.event_log import utc_now
from seq2sum_serving.deployment.traffic import ALL_STABLE
from seq2sum_serving.rollout import transitions
from support.rollout_bench import STOCK, WITH_PREVIOUS, Bench

AT_REST = {"stable": 1, "canary": 1}
GATES = ["contract", "golden", "errors 5", "errors 50"]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return Bench(tmp_path, monkeypatch)


def untouched(bench):
    """All of the traffic is with version 1, and nothing else is loaded."""
    assert bench.recorded.labels == AT_REST
    assert bench.recorded.policy.versions == {1}
    assert bench.weights == ALL_STABLE
    assert bench.loaded() == {1}
    assert set(bench.fleet.resolve_label("stable").values()) == {1}


def test_a_good_version_gets_all_of_the_traffic_step_by_step(bench):
    bench.export(2, bench.base / "2")
    assert bench.run(2) is Exit.DONE
    assert bench.recorded.labels == {"stable": 2, "canary": 2, "previous": 1}
    assert bench.weights == ALL_STABLE
    assert bench.loaded() == {1, 2}
    assert bench.done == [
        "run started",
        "weights set",
        "measurement",
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


def test_a_model_that_no_rollout_has_touched_is_taken_over_before_anything_appears(
    tmp_path, monkeypatch
):
    bench = Bench(tmp_path, monkeypatch, config=STOCK)
    assert bench.run(bench.export(2)) is Exit.DONE
    assert bench.done[:5] == [
        "versions set",
        "labels set",
        "weights set",
        "publish started",
        "run started",
    ]
    assert bench.events[0].details == {"versions": [1]}
    assert bench.events[1].details == AT_REST
    assert bench.loaded() == {1, 2}


def test_the_version_before_the_last_is_let_go(bench):
    for content in (2, 3):
        assert bench.run(bench.export(content)) is Exit.DONE
    assert bench.recorded.labels == {"stable": 3, "canary": 3, "previous": 2}
    assert bench.loaded() == {2, 3}
    assert bench.contents() == {n: f"content {n}" for n in (1, 2, 3)}


def test_a_rollback_after_it_needs_no_load(bench):
    bench.run(bench.export(2))
    assert bench.do("rollback") is Exit.DONE
    assert bench.recorded.labels == AT_REST
    assert bench.loaded() == {1, 2}
    with pytest.raises(Refused, match=r"version 2 rolled back on .*: by hand\. A number is never"):
        bench.run(2)


@pytest.mark.parametrize("gate", GATES)
def test_what_fails_a_gate_is_taken_back_and_its_number_is_spent(bench, gate):
    bench.gates.script[gate] = "Failed"
    folder = bench.export(2)
    with pytest.raises(Failed, match="Failed it") as told:
        bench.run(folder)
    assert told.value.code is Exit.FAILED
    untouched(bench)
    assert bench.outcomes() == [(2, "Failed")]
    burned = bench.deployment().observe().burned
    assert "Failed it" in burned[2]
    assert ("rolled back" in burned[2]) == gate.startswith("errors")
    for one in bench.fleet.servers:
        assert 2 not in one.versions or one.versions[2].state is State.END
    bench.gates.script.clear()  # what is mended gets another number
    assert bench.run(folder) is Exit.DONE
    assert bench.recorded.labels["stable"] == 3


@pytest.mark.parametrize("gate", GATES)
def test_what_nobody_can_judge_stays_where_it_is_and_goes_on_when_asked_again(bench, gate):
    bench.gates.script[gate] = "Inconclusive"
    folder = bench.export(2)
    with pytest.raises(Inconclusive, match=r"`run 2` judges it again, ") as told:
        bench.run(folder)
    assert told.value.code is Exit.INCONCLUSIVE
    assert bench.outcomes() == [(2, "Inconclusive")]
    on_trial = gate.startswith("errors")
    assert str(told.value).endswith(f"{'`rollback`' if on_trial else '`retire 2`'} ends it")
    assert bench.recorded.labels == {"stable": 1, "canary": 2 if on_trial else 1}
    assert bench.loaded() == ({1} if gate == "contract" else {1, 2})
    bench.gates.script.clear()
    assert bench.run(folder) is Exit.DONE  # the folder that has a number keeps it
    assert bench.recorded.labels == {"stable": 2, "canary": 2, "previous": 1}
    assert bench.contents() == {1: "content 1", 2: "content 2"}


def test_what_nobody_could_measure_stops_nothing(bench):
    bench.gates.script["golden"] = "Skipped"
    assert bench.run(bench.export(2)) is Exit.DONE


def test_a_version_that_cannot_load_leaves_again(bench):
    bench.fleet.broken.add(2)
    with pytest.raises(Failed, match=r"version 2 could not be loaded by a:1: NOT_FOUND: Spec"):
        bench.run(bench.export(2))
    untouched(bench)
    assert bench.outcomes() == [(2, "Failed")]
    with pytest.raises(Refused, match=r"A number is never used again"):
        bench.run(2)


def test_a_version_that_one_replica_cannot_load_leaves_all(bench):
    bench.fleet.servers[1].broken = {2}
    with pytest.raises(Failed, match="version 2 could not be loaded by b:1"):
        bench.run(bench.export(2))
    untouched(bench)


@pytest.mark.parametrize("end", ["rollback", "promote", "retire"])
def test_a_run_that_was_killed_is_over_when_an_operator_ends_it(bench, end):
    class Killed(BaseException):
        """The process is gone."""

    def killed():
        raise Killed

    moment = "golden" if end == "retire" else "errors 5"
    bench.gates.script[moment] = killed
    with pytest.raises(Killed):
        bench.run(bench.export(2))
    assert underway(bench.events, now=utc_now()).began.version == 2
    bench.do(end, version=2)
    assert underway(bench.events, now=utc_now()) is None
    assert run_state.open_run(bench.events) is None


def test_a_rollback_by_somebody_else_in_the_bake_ends_the_run(bench):
    def somebody():
        bench.do("rollback", why="no")

    bench.gates.script["errors 50"] = somebody
    with pytest.raises(Failed, match=r"version 2 is not on trial any more: somebody else"):
        bench.run(bench.export(2))
    assert bench.recorded.labels == AT_REST
    assert bench.weights == ALL_STABLE
    assert bench.loaded() == {1, 2}
    assert bench.done[-4:] == ["rolled back", "labels set", "weights set", "run ended"]
    assert bench.outcomes() == [(2, "Failed")]
    assert bench.do("retire", version=2) is Exit.DONE
    untouched(bench)


def test_what_somebody_writes_while_a_version_loads_is_not_overwritten(bench):
    bench.export(2, bench.base / "2")
    deployment = bench.deployment()

    def told(line):
        if line.startswith("wait until version 2 is AVAILABLE"):
            text = bench.file.read_text()
            bench.file.write_text(text.replace('"canary"', '"theirs"'))

    deployment.tell = told
    with pytest.raises(Failed, match=r"was changed by somebody else in the meantime\. Nothing was"):
        deployment.reach(transitions.canary(deployment.observe(), 2))
    assert bench.recorded.labels == {"stable": 1, "theirs": 1}


def test_only_one_changes_anything_at_a_time(bench):
    other = bench.export(3)

    def another():
        for verb, options in {
            "run": {"what": str(other)},
            "promote": {"version": 2},
            "retire": {"version": 1},
        }.items():
            with pytest.raises(Refused, match=r"another rollout is under way|is stable"):
                bench.do(verb, **options)

    bench.gates.script["golden"] = another
    assert bench.run(bench.export(2)) is Exit.DONE
    assert sorted(bench.contents()) == [1, 2]


def test_a_run_that_has_not_ended_comes_first(bench):
    bench.fleet.servers[0].error = "UNAVAILABLE gone"
    bench.export(2, bench.base / "2")
    bench.export(3, bench.base / "3")
    with pytest.raises(Refused, match="a replica does not answer"):
        bench.run(2)
    assert bench.done == []
    bench.fleet.servers[0].error = ""

    def gone():
        bench.fleet.servers[0].error = "UNAVAILABLE gone"

    bench.gates.script["errors 50"] = gone
    with pytest.raises(Refused, match=r"a replica does not answer.*`run 2` goes on with it"):
        bench.run(2)
    assert bench.outcomes() == []
    bench.fleet.servers[0].error = ""
    with pytest.raises(Refused, match=r"run of version 2 has not ended: .* `rollback` ends it"):
        bench.run(3)
    assert bench.run(2) is Exit.DONE
    assert bench.recorded.labels == {"stable": 2, "canary": 2, "previous": 1}


def test_what_ends_a_run_before_its_trial_leaves_the_stable_version(tmp_path, monkeypatch):
    bench = Bench(tmp_path, monkeypatch, config=WITH_PREVIOUS, on_disk=(1, 2, 3, 4))
    killed = bench.deployment()
    killed.run = "killed"
    killed.note("run started", 3)
    with pytest.raises(Refused, match=r"`retire 3` ends it"):  # `rollback` would go back to 1
        bench.run(4)
    assert bench.do("retire", version=3) is Exit.DONE
    assert bench.recorded.labels["stable"] == 2
    assert bench.run(4) is Exit.DONE


def test_a_run_of_what_is_stable_has_nothing_to_do(bench):
    bench.export(2, bench.base / "2")
    bench.run(2)
    before = bench.contents()
    assert bench.run(2) is Exit.DONE
    assert bench.contents() == before


def test_a_replica_that_does_not_follow_is_told_and_the_version_is_taken_back(bench):
    bench.fleet.servers[0].ignores_config = True
    with pytest.raises(Failed, match=r"waited 30 s in vain \(a:1: version 2 is not taken up\)"):
        bench.run(bench.export(2))
    untouched(bench)
    assert any("a:1 did not take it (UNAVAILABLE: gone)" in line for line in bench.said)


def test_a_stable_version_that_answers_otherwise_than_promised_is_taken_back(bench):
    bench.gates.script["errors 50"] = lambda: bench.fleet.wrong_answers.update({("b:1", 2): 7})
    with pytest.raises(Failed, match=r"not every replica answers by version 2 \(b:1: 7\)"):
        bench.run(bench.export(2))
    untouched(bench)
    assert bench.outcomes() == [(2, "Failed")]
