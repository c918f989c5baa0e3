"""Every command, called by its command line on fake replicas: output, exit code and effect."""

from __future__ import annotations

import json

import pytest
from seq2sum_serving.deployment.errors import Exit
from seq2sum_serving.rollout import cli
from support.rollout_calls import caller, make_bench


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return make_bench(tmp_path, monkeypatch)


@pytest.fixture
def call(bench, capsys):
    return caller(bench, capsys)


def test_status_prints_text_or_json(call):
    code, out, err = call("status")
    assert (code, err) == (Exit.DONE, "")
    assert "AVAILABLE" in out
    code, out, err = call("status", "--json")
    assert (code, err) == (Exit.DONE, "")
    [line] = out.splitlines()
    result = json.loads(line)
    assert (result["command"], result["exit_code"]) == ("status", 0)
    assert result["seconds"] >= 0


def test_status_with_drift_exits_with_1(call, bench):
    bench.replicas.servers[1].error = "UNAVAILABLE gone"
    code, out, _ = call("status")
    assert code == Exit.FAILED
    assert "b:1 does not answer" in out


def test_run_logs_to_standard_error(call, bench):
    code, out, err = call("run", bench.export(2), "--json", "--reason", "better")
    assert code == Exit.DONE
    assert json.loads(out)["version"] == 2
    assert "version 2: promoting it" in err
    code, out, err = call("history", "--json")
    [promoted] = [event for event in json.loads(out)["events"] if event["kind"] == "promoted"]
    assert promoted["reason"] == "better"
    code, out, err = call("history", "--last", "2")
    assert (code, err) == (Exit.DONE, "")
    assert "run ended" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["promote", 9], Exit.FAILED, "version 9 is not on disk"),
        (["retire", 1], Exit.FAILED, "version 1 is stable"),
        (["canary", 1], Exit.FAILED, "version 1 is already stable"),
        (["rollback"], Exit.FAILED, "nothing to roll back"),
        (["publish", "gone"], Exit.USAGE, "gone is not a version folder"),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_errors_are_one_line_and_change_nothing(call, bench, arguments, code, message, form):
    before = bench.files()
    exit_code, out, err = call(*arguments, *form)
    assert bench.files() == before
    assert exit_code == code
    last = err.splitlines()[-1]
    assert last.startswith("seq2sum-rollout: ")
    assert message in last
    if form:
        result = json.loads(out)
        assert message in result["error"]
        assert result["exit_code"] == code
    else:
        assert out == ""


@pytest.mark.parametrize("gate", ["Failed", "Inconclusive"])
def test_exit_code_of_a_run_shows_its_outcome(call, bench, gate):
    bench.gates.script["golden"] = gate
    code, out, err = call("run", bench.export(2), "--json")
    assert code == {"Failed": Exit.FAILED, "Inconclusive": Exit.INCONCLUSIVE}[gate]
    assert json.loads(out)["exit_code"] == code
    assert f"golden: {gate} it" in err.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [["publish", "{}"], ["run", "{}"], ["canary", "2"], ["promote", "2"], ["retire", "2"]],
    ids=lambda arguments: arguments[0],
)
def test_dry_run_shows_steps_and_changes_nothing(call, bench, arguments):
    if arguments[1] == "{}":
        arguments = [arguments[0], str(bench.export(2))]
    else:
        bench.export(2, bench.base / "2")
    before = bench.files()
    code, out, _ = call(*arguments, "--dry-run")
    assert code == Exit.DONE
    assert arguments[0] == "retire" or out.strip()
    assert bench.files() == before
    code, out, _ = call(*arguments, "--dry-run", "--json")
    assert isinstance(json.loads(out)["plan"], list)
    assert bench.events == []


def test_run_resumes_after_control_c(call, bench):
    def interrupt():
        raise KeyboardInterrupt

    bench.gates.script["errors 5"] = interrupt
    folder = bench.export(2)
    code, out, err = call("run", folder, "--json")
    assert code == cli.INTERRUPTED
    assert json.loads(out)["error"] == "interrupted"
    assert "Run the same command again to resume" in err
    bench.gates.script.clear()
    code, _, err = call("run", folder)
    assert code == Exit.DONE
    assert "resuming the run of version 2: it passed the gates without traffic" in err


def test_canary_promote_rollback_and_retire(call, bench):
    assert call("publish", bench.export(2))[0] == Exit.DONE
    assert call("canary", 2, "--weight", 10)[0] == Exit.DONE
    assert bench.weights == {"stable": 90, "canary": 10}
    assert call("promote", 2)[0] == Exit.DONE
    assert bench.recorded.labels == {"stable": 2, "canary": 2, "previous": 1}
    code, out, _ = call("rollback")
    assert code == Exit.DONE
    assert "version 1 has all traffic" in out
    assert call("retire", 2)[0] == Exit.DONE
    assert bench.loaded() == {1}


@pytest.mark.parametrize("command", ["canary", "promote"])
def test_history_records_inconclusive_gates(call, bench, command):
    bench.gates.script |= {"contract": "Inconclusive", "golden": "Inconclusive"}
    bench.export(2, bench.base / "2")
    assert call(command, 2)[0] == Exit.DONE
    kinds = ("canary started", "promoted")
    [details] = [event.details for event in bench.events if event.kind in kinds]
    assert details["inconclusive"] == ["contract", "golden"]
    assert "inconclusive contract, golden" in " ".join(call("history")[1].split())


def test_canary_that_fails_a_gate_is_unloaded(call, bench):
    bench.gates.script["golden"] = "Failed"
    bench.export(2, bench.base / "2")
    assert call("canary", 2)[0] == Exit.FAILED
    assert bench.loaded() == {1}
    assert bench.recorded.labels == {"stable": 1, "canary": 1}


def test_repair_brings_replicas_to_the_recorded_state(call, bench):
    bench.export(2, bench.base / "2")
    bench.file.write_text(bench.file.read_text().replace("versions: 1", "versions: 1 versions: 2"))
    assert call("status")[0] == Exit.FAILED
    assert call("repair")[0] == Exit.DONE
    assert bench.loaded() == {1, 2}
    assert bench.event_kinds == ["repaired"]
    assert call("repair")[0] == Exit.DONE  # nothing to do, nothing to record
    assert bench.event_kinds == ["repaired"]


def test_watch_prints_a_line_of_json_for_each_update(call):
    code, out, err = call("watch", "--count", "2", "--interval", "0.05", "--json")
    *updates, last = map(json.loads, out.splitlines())
    assert (code, err, len(updates)) == (Exit.DONE, "", 2)
    assert all(update["versions"] and update["time"] for update in updates)
    assert last["command"] == "watch"


@pytest.mark.parametrize("command", ["status", "history"])
def test_read_only_commands_ignore_dry_run(call, command):
    assert call(command, "--dry-run")[1] == call(command)[1]
