"""Rollbacks and interrupted runs with a candidate group leave no caller on a bad version."""

from __future__ import annotations

import pytest
from seq2sum_serving.deployment.errors import Exit, Failed, Inconclusive, Moved, Refused, UsageError
from seq2sum_serving.deployment.routers.client import ClientRouter
from seq2sum_serving.deployment.routers.router import Shares
from support.rollout_bench import WITH_PREVIOUS, Bench

TWO = {"stable": 2, "canary": 2, "previous": 1}


class Killed(BaseException):
    """The process has ended."""


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Version 2 is stable and 1 is previous; version 3 is exported."""
    opened = Bench(
        tmp_path, monkeypatch, config=WITH_PREVIOUS, on_disk=(1, 2), candidate_group=True
    )
    opened.folder_of_3 = opened.export(3)
    return opened


def run_until(bench, line, command="run"):
    """Runs version 3, or another command, and kills the process when it logs this line."""

    class Log(list):
        def append(self, text):
            super().append(text)
            if line in text:
                raise Killed

    bench.log = Log()
    with pytest.raises(Killed):
        bench.execute(command, version_or_folder=str(bench.folder_of_3))
    bench.log = []


def with_share(bench):
    """Leaves version 3 with its share of 5 %."""
    bench.gates.script["errors 5"] = "Inconclusive"
    with pytest.raises(Inconclusive):
        bench.run(bench.folder_of_3)
    bench.gates.script.clear()
    assert bench.weights == {"stable": 95, "x:1": 5}


def assert_only_version_2(bench, *, group=True):
    assert (bench.recorded.labels, bench.loaded()) == (TWO, {1, 2})
    assert bench.weights == {"stable": 100}
    if group:
        assert bench.executor(bench.candidates).config.read().policy.versions == {2}


LINES = [
    "analysis of its files",
    "loading it in the candidate group",
    "candidate group: write versions",
    "candidate group: wait until version 3 is AVAILABLE",
    "labels canary = 3",
    "analysis without traffic",
    "step at weight 5 %",
    "step at weight 50 %",
    "promoting it",
]


@pytest.mark.parametrize("line", LINES)
def test_rollback_of_a_killed_run_leaves_the_stable_version(bench, line):
    run_until(bench, line)
    assert bench.execute("rollback") is Exit.DONE
    assert_only_version_2(bench)
    with pytest.raises(Refused, match="version 3 rolled back"):
        bench.run(3)


@pytest.mark.parametrize(
    "line",
    [
        "write versions 2; labels",
        "wait until every replica has the labels",
        "wait until no replica answers with version 3",
        "label stable and no label: version 2",
        "candidate group: write versions",
        "candidate group: wait until version 2 is AVAILABLE",
    ],
)
def test_killed_rollback_is_completed_by_another_one(bench, line):
    assert bench.run(bench.folder_of_3) is Exit.DONE
    run_until(bench, line, "rollback")
    assert bench.execute("rollback") is Exit.DONE
    bench.candidates.settle()
    assert (bench.recorded.labels, bench.loaded()) == ({"stable": 2, "canary": 2}, {2})
    assert bench.candidates.servers[0].available == {2}
    with pytest.raises(Refused, match="nothing to roll back"):
        bench.execute("rollback")


def test_rollback_that_a_server_did_not_follow_is_completed_by_another_one(bench):
    with_share(bench)
    bench.replicas.servers[0].error = "UNAVAILABLE gone"
    with pytest.raises(Moved, match="a:1 does not answer"):
        bench.execute("rollback")
    bench.replicas.servers[0].error = ""
    assert_only_version_2(bench)


@pytest.mark.parametrize("gate", ["evaluation", "golden", "errors 5"])
def test_rollback_during_a_run_ends_it(bench, gate):
    bench.gates.script[gate] = lambda: bench.execute("rollback")
    with pytest.raises(Failed, match=r"somebody else"):
        bench.run(bench.folder_of_3)
    bench.candidates.settle()
    assert_only_version_2(bench)


def test_shares_that_were_left_are_removed_before_the_load(bench):
    bench.executor().router.write(Shares(candidate=50.0))
    seen = []
    bench.gates.script["golden"] = lambda: seen.append(bench.weights)
    assert bench.run(bench.folder_of_3) is Exit.DONE
    assert seen == [{"stable": 100}]


@pytest.mark.parametrize("line", ["wait until version 3 is AVAILABLE", "step at weight 5 %"])
def test_run_is_not_resumed_on_other_servers(bench, line):
    run_until(bench, line)
    group, bench.candidates = bench.candidates, None
    with pytest.raises(
        (Refused, Moved), match="started in the candidate group, with router client"
    ):
        bench.run(3)
    assert bench.loaded() == {1, 2}
    bench.candidates = group
    assert bench.run(3) is Exit.DONE


@pytest.mark.parametrize("content", ["", "model_config_list {", None])
def test_rollback_with_an_invalid_file_of_the_group_removes_the_share(bench, content):
    with_share(bench)
    if content is None:
        bench.candidate_file.unlink()
    else:
        bench.candidate_file.write_text(content)
    with pytest.raises(Moved, match=r"candidate\.config"):
        bench.execute("rollback")
    assert_only_version_2(bench, group=False)


def test_rollback_without_the_router_takes_the_version_out(bench, monkeypatch):
    with_share(bench)

    def write(_, shares):
        raise Failed(f"not in force: {shares.candidate}")

    monkeypatch.setattr(ClientRouter, "write", write)
    with pytest.raises(Moved, match="not in force: 0"):
        bench.execute("rollback")
    bench.candidates.settle()
    assert bench.candidates.servers[0].available == {
        2
    }  # a caller that is sent there gets version 2


def test_rollback_while_all_servers_are_unreachable_removes_the_share(bench):
    with_share(bench)
    for server in bench.replicas.servers:
        server.error = "UNAVAILABLE gone"
    with pytest.raises(Moved, match="does not answer"):
        bench.execute("rollback")
    assert bench.weights == {"stable": 100}


def test_rollback_that_a_server_does_not_follow_says_that_traffic_moved(bench):
    bench.run(bench.folder_of_3)
    bench.replicas.servers[0].ignores_config = True
    with pytest.raises(Moved, match="a:1"):
        bench.execute("rollback")


def test_run_that_stops_during_its_share_says_so(bench):
    def stop():
        bench.replicas.servers[0].error = "UNAVAILABLE gone"

    bench.gates.script["errors 50"] = stop
    with pytest.raises(Moved, match=r"Version 3 may still have a share of the traffic: `rollback`"):
        bench.run(bench.folder_of_3)
    with pytest.raises(Refused, match="does not answer"):
        bench.run(3)  # changes nothing


def test_dry_run_of_a_folder_shows_the_steps(bench):
    before = bench.files()
    bench.execute("run", version_or_folder=str(bench.folder_of_3), dry_run=True)
    assert bench.files() == before


def test_server_of_both_groups_is_refused(bench):
    bench.candidates.servers[0].target = "b:1"
    bench.export(4, bench.base / "4")
    before = bench.files()
    with pytest.raises(UsageError, match="b:1 is in --targets and in --candidate-targets"):
        bench.run(4)
    assert bench.files() == before


@pytest.mark.parametrize("command", ["promote", "canary"])
def test_second_candidate_is_refused_even_without_gates(bench, command):
    with_share(bench)
    bench.export(4, bench.base / "4")
    with pytest.raises(Refused, match="version 3 is the canary: end it first with `promote 3` or"):
        bench.execute(command, version=4, weight=0.0, without_gates=True)


def test_retire_ends_a_run_before_its_labels(bench):
    run_until(bench, "wait until version 3 is AVAILABLE")
    assert bench.execute("retire", version=3) is Exit.DONE
    bench.candidates.settle()
    assert_only_version_2(bench)


def test_repair_brings_the_candidate_group_to_the_stable_version(bench):
    bench.candidate_file.write_text(bench.candidate_file.read_text().replace("versions: 2", ""))
    bench.execute("repair")
    bench.candidates.settle()
    assert bench.candidates.servers[0].available == {2}
