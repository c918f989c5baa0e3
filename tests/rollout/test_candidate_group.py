"""Runs with a candidate group: servers that callers reach never hold a version that has not passed.

At every moment the fake servers check which version answers callers without a label.
"""

from __future__ import annotations

import pytest
from seq2sum_serving.deployment import config_text
from seq2sum_serving.deployment.errors import Exit, Failed, Inconclusive, Moved, Refused
from seq2sum_serving.deployment.routers.router import Shares
from support.rollout_bench import INITIAL, WITH_PREVIOUS, Bench

CANDIDATE = "x:1"
ONLY_1 = {"stable": 1, "canary": 1}


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return Bench(tmp_path, monkeypatch, candidate_group=True)


def in_group(bench):
    """Returns the versions and labels that the candidate group serves once it is idle."""
    bench.candidates.settle()
    [server] = bench.candidates.servers
    return set(server.available), dict(server.labels["seq2sum"])


def assert_only_version_1(bench):
    assert (bench.recorded.labels, bench.loaded()) == (ONLY_1, {1})
    assert bench.recorded.policy.versions == {1}
    assert bench.weights == {"stable": 100}
    assert in_group(bench) == ({1}, ONLY_1)


def test_run_judges_a_version_apart_and_then_promotes_it(bench):
    seen = []
    bench.gates.script["golden"] = lambda: seen.append((bench.loaded(), in_group(bench)))
    bench.gates.script["errors 50"] = lambda: seen.append((bench.loaded(), bench.weights))
    assert bench.run(bench.export(2)) is Exit.DONE
    assert seen == [
        ({1}, ({1, 2}, {"stable": 2, "canary": 2})),
        ({1}, {"stable": 50, CANDIDATE: 50}),
    ]
    assert bench.recorded.labels == {"stable": 2, "canary": 2, "previous": 1}
    assert (bench.loaded(), bench.weights) == ({1, 2}, {"stable": 100})
    assert in_group(bench) == ({2}, {"stable": 2, "canary": 2})
    assert "  a:1: label stable and no label: version 2" in bench.log


def test_run_adopts_both_groups(tmp_path, monkeypatch):
    bench = Bench(tmp_path, monkeypatch, config=INITIAL, candidate_group=True)
    assert bench.run(bench.export(2)) is Exit.DONE
    assert (bench.loaded(), in_group(bench)[0]) == ({1, 2}, {2})


def test_calls_with_another_label_are_answered_in_both_groups(tmp_path, monkeypatch):
    entry = WITH_PREVIOUS + ' version_labels { key: "theirs" value: 1 }'
    bench = Bench(tmp_path, monkeypatch, config=entry, on_disk=(1, 2), candidate_group=True)
    seen = []
    bench.gates.script["errors 5"] = lambda: seen.append(in_group(bench))
    assert bench.run(bench.export(3)) is Exit.DONE
    assert seen == [({1, 2, 3}, {"stable": 3, "canary": 3, "theirs": 1})]


@pytest.mark.parametrize("gate", ["evaluation", "golden", "errors 5", "errors 50"])
def test_failed_gate_touches_nobody(bench, gate):
    bench.gates.script[gate] = "Failed"
    with pytest.raises(Failed, match="Failed it") as raised:
        bench.run(bench.export(2))
    assert raised.value.code is Exit.FAILED
    assert_only_version_1(bench)
    assert ("rolled back" in bench.event_kinds) == gate.startswith("errors")


def test_version_that_the_candidate_group_cannot_load_touches_nobody(bench):
    bench.candidates.broken.add(2)
    with pytest.raises(Failed, match=r"version 2 could not be loaded by x:1: NOT_FOUND: Spec"):
        bench.run(bench.export(2))
    assert_only_version_1(bench)
    with pytest.raises(Refused, match="Version numbers are never reused"):
        bench.run(2)


def kill(bench, error="UNAVAILABLE gone"):
    bench.candidates.servers[0].error = error


@pytest.mark.parametrize("error", ["UNAVAILABLE gone", "DEADLINE_EXCEEDED"])
def test_candidate_server_that_stops_while_it_loads_ends_the_run(bench, error):
    [server] = bench.candidates.servers
    configure = server.configure

    def die_at_version_2(message):
        configure(message)
        if 2 in config_text.model_entry(message.model_config_list.config[0]).policy.versions:
            server.error = error

    server.configure = die_at_version_2
    with pytest.raises(Failed, match=r"x:1 did not answer for 1\d s .*: it was killed, ") as raised:
        bench.run(bench.export(2))
    assert raised.value.code is Exit.FAILED
    assert bench.outcomes == [(2, "Failed")]
    assert not bench.executor().observe().burned  # the version may not be at fault
    assert (bench.loaded(), bench.weights) == ({1}, {"stable": 100})
    assert bench.executor(bench.candidates).config.read().policy.versions == {1}


def test_candidate_server_that_stops_during_its_share_loses_the_share(bench):
    bench.gates.script["errors 50"] = lambda: kill(bench)

    def fail_when_down(_, *__, **___):
        raise Failed("x:1 does not answer")

    bench.gates.script["errors 5"] = lambda: (kill(bench), fail_when_down(None))
    with pytest.raises(Failed, match="x:1 does not answer"):
        bench.run(bench.export(2))
    assert (bench.loaded(), bench.weights) == ({1}, {"stable": 100})
    candidate = bench.executor(bench.candidates).config.read()
    assert (candidate.policy.versions, candidate.labels) == ({1}, ONLY_1)


def test_candidate_group_that_is_down_is_refused_before_anything_changes(bench):
    kill(bench)
    folder = bench.export(2, bench.base / "2")
    before = bench.files()
    with pytest.raises(Refused, match=r"candidate group: a replica does not answer \(x:1: UNAVA"):
        bench.run(folder.name)
    assert bench.files() == before


@pytest.mark.parametrize("moment", ["golden", "errors 5"])
def test_rollback_during_a_run_ends_it(bench, moment):
    bench.gates.script[moment] = "Inconclusive"
    with pytest.raises(Inconclusive, match="`rollback` ends the run"):
        bench.run(bench.export(2))
    assert in_group(bench)[1] == {"stable": 2, "canary": 2}
    assert bench.execute("rollback") is Exit.DONE
    assert_only_version_1(bench)
    with pytest.raises(Refused, match="rolled back"):
        bench.run(2)


def test_rollback_after_promotion_takes_the_version_out_in_one_write(bench):
    bench.run(bench.export(2))
    writes = []
    change = bench.executor().config.__class__.change

    def count(config, before, after):
        writes.append((config.path.name, set(after.policy.versions)))
        change(config, before, after)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(bench.executor().config), "change", count)
        assert bench.execute("rollback") is Exit.DONE
    assert [versions for name, versions in writes if name == "models.config"] == [{1}]
    assert_only_version_1(bench)


def test_rollback_with_a_replica_down_says_that_traffic_moved(bench):
    bench.run(bench.export(2))
    bench.replicas.servers[0].error = "UNAVAILABLE gone"
    with pytest.raises(Moved, match="a:1 does not answer and was skipped") as raised:
        bench.execute("rollback")
    assert raised.value.code is Exit.MOVED == 4


def test_rollback_while_the_candidate_group_is_down_leaves_its_file_right(bench):
    bench.gates.script["errors 5"] = "Inconclusive"
    with pytest.raises(Inconclusive):
        bench.run(bench.export(2))
    kill(bench)
    assert bench.execute("rollback") is Exit.DONE
    assert bench.executor(bench.candidates).config.read().policy.versions == {1}
    assert bench.weights == {"stable": 100}


def test_promotion_that_a_server_does_not_follow_is_taken_back(bench):
    bench.replicas.servers[1].broken = {2}
    with pytest.raises(Failed, match="version 2 could not be loaded by b:1") as raised:
        bench.run(bench.export(2))
    assert raised.value.code is Exit.FAILED
    assert_only_version_1(bench)


def test_single_phases(bench):
    bench.export(2, bench.base / "2")
    assert bench.execute("canary", version=2, weight=10.0) is Exit.DONE
    assert (bench.loaded(), bench.weights) == ({1}, {"stable": 90, CANDIDATE: 10})
    with pytest.raises(Refused, match="version 2 is the canary: end it first with `rollback`"):
        bench.execute("retire", version=2)
    bench.export(3, bench.base / "3")
    with pytest.raises(Refused, match="version 2 is the canary: end it first with `promote 2`"):
        bench.execute("canary", version=3, weight=0.0)
    assert bench.execute("promote", version=2) is Exit.DONE
    assert (bench.loaded(), bench.weights) == ({1, 2}, {"stable": 100})
    assert bench.execute("retire", version=1) is Exit.DONE
    assert bench.execute("promote", version=3) is Exit.DONE
    assert in_group(bench) == ({3}, {"stable": 3, "canary": 3})


def test_promotion_of_a_bad_version_touches_nobody(bench):
    bench.export(2, bench.base / "2")
    bench.gates.script["golden"] = "Failed"
    with pytest.raises(Failed, match="golden"):
        bench.execute("promote", version=2)
    assert_only_version_1(bench)


COMMANDS = {
    "run": {"version_or_folder": "2"},
    "canary": {"version": 2, "weight": 0.0},
    "promote": {"version": 2},
}


@pytest.mark.parametrize("command", COMMANDS)
def test_in_place_is_refused_while_callers_without_a_label_exist(tmp_path, monkeypatch, command):
    bench = Bench(tmp_path, monkeypatch, unlabelled_callers="some")
    bench.export(2, bench.base / "2")
    before = bench.files()
    with pytest.raises(Refused, match=r'unlabelled_callers = "none" in \[traffic\] of the policy'):
        bench.execute(command, **COMMANDS[command])
    assert bench.files() == before


def test_in_place_promotion_without_gates_is_the_operators_decision(tmp_path, monkeypatch):
    bench = Bench(tmp_path, monkeypatch, unlabelled_callers="some")
    bench.export(2, bench.base / "2")
    assert bench.execute("promote", version=2, without_gates=True) is Exit.DONE
    assert bench.recorded.labels["stable"] == 2


def test_in_place_a_lower_version_answers_no_call_without_a_label(tmp_path, monkeypatch):
    bench = Bench(
        tmp_path, monkeypatch, config=WITH_PREVIOUS, on_disk=(0, 1, 2), unlabelled_callers="some"
    )
    assert bench.execute("canary", version=0, weight=10.0) is Exit.DONE
    assert bench.execute("promote", version=0) is Exit.DONE
    assert bench.loaded() == {0}  # version 2 would answer calls without a label


def test_shares_that_are_not_in_force_are_written_again(bench, monkeypatch):
    executor, written = bench.executor(), []
    executor.set_shares(Shares(10))
    router = type(executor.router)
    monkeypatch.setattr(router, "write", lambda _, shares: written.append(shares))
    executor.set_shares(Shares(10))
    assert written == []

    def fail(_):
        raise Failed("Envoy still has version default")

    monkeypatch.setattr(router, "check_in_force", fail)
    executor.set_shares(Shares(10))
    assert written == [Shares(10)]
    assert "  Envoy still has version default; writing them again" in bench.log
