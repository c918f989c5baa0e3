"""The command line: output, standard error, and exit codes."""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata
from pathlib import Path

import pytest
from seq2sum_serving.deployment.errors import Exit
from seq2sum_serving.rollout import cli
from seq2sum_serving.rollout.commands import COMMANDS
from seq2sum_serving.rollout.executor import ChangeOptions
from support.rollout_bench import ADOPTED, CONFIG, Bench


@pytest.fixture
def bench(tmp_path, monkeypatch):
    opened = Bench(tmp_path, monkeypatch)
    monkeypatch.setattr(cli, "Replicas", lambda *_, **__: opened.replicas)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "policy.toml").write_text("[traffic]\nsteps = [5]\nsettle = 0.2\n")
    return opened


@pytest.fixture
def call(bench, capsys):
    """Calls a command; returns exit code, standard output and standard error."""

    def call(*arguments):
        options = ["--config", str(bench.file)]
        if arguments[0] == "run":
            options += ["--policy", str(bench.folder / "policy.toml")]
        code = cli.main([*map(str, arguments), *options])
        return code, *capsys.readouterr()

    return call


def test_help_lists_commands_examples_and_exit_codes(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    out, err = capsys.readouterr()
    assert ended.value.code == 0
    assert err == ""
    assert "seq2sum-rollout run 3 --targets" in out
    assert "3  inconclusive" in out
    commands = "status publish canary promote rollback retire repair run history watch"
    assert all(f"\n    {command} " in out for command in commands.split())


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_of_a_command_starts_with_a_sentence(capsys, command):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    description = capsys.readouterr().out.split("\n\n")[1]
    assert description[0].isupper()
    assert description.endswith(".")


@pytest.mark.parametrize("line", [["retire", "2"], ["retire", "2", "--json"]])
def test_full_disk_does_not_change_the_exit_code(bench, monkeypatch, capsys, line):
    bench.export(2, bench.base / "2")
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert cli.main([*line, "--config", str(bench.file)]) == Exit.DONE
    assert "cannot write to standard output: No space left" in capsys.readouterr().err
    assert "retired" in bench.event_kinds


@pytest.mark.parametrize(
    "line", [["history"], ["status", "--json"], ["watch"], ["watch", "--json"]]
)
def test_closed_pipe_causes_no_traceback(bench, monkeypatch, capsys, line):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert cli.main([*line, "--config", str(bench.file)]) in (Exit.DONE, Exit.FAILED)
    assert capsys.readouterr().err == ""


def test_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"seq2sum-rollout {metadata.version('seq2sum-serving')}\n"


@pytest.mark.parametrize("line", ["status", "history", "watch --count 1"])
def test_lines_in_a_pipe_are_neither_wrapped_nor_padded(call, bench, monkeypatch, line):
    monkeypatch.delenv("COLUMNS")
    bench.export(2, bench.base / "2")
    reason = "a reason that is longer than eighty columns, " * 4
    bench.executor().record("failed", 3, ChangeOptions(reason))
    bench.export(3, bench.base / "3")
    bench.replicas.servers[0].target = f"{'a' * 60}.example.org:8500"
    bench.replicas.servers[1].error = "UNAVAILABLE " + "gone " * 40
    _, out, _ = call(*line.split())
    lines = out.splitlines()
    assert max(map(len, lines)) < 1000
    assert any(" ".join(reason.split()) in text for text in lines)
    if line != "history":
        assert any(bench.replicas.servers[1].error.strip() in text for text in lines)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("deploy 3", "invalid choice: 'deploy'"),
        ("promote", "the following arguments are required: V"),
        ("promote three", "invalid version 'three': expected a non-negative integer"),
        ("canary 2 --weight 101", "invalid number '101': expected a number from 0 to 100"),
        ("canary 2 --weight nan", "invalid number 'nan': expected a number from 0 to 100"),
        ("history --last 0", "invalid count '0': expected a positive integer"),
        ("watch --interval 0", "invalid number '0': expected a number from 0.05 to 3600"),
        ("status --reason x", "unrecognized arguments: --reason"),
    ],
)
def test_usage_errors_exit_with_2(capsys, line, message):
    with pytest.raises(SystemExit) as ended:
        cli.main(line.split())
    out, err = capsys.readouterr()
    assert ended.value.code == Exit.USAGE
    assert out == ""
    assert message in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--targets", "nowhere"], "invalid target 'nowhere': expected host:port"),
        (["--policy", "gone.toml"], "gone.toml"),
        (["--ca", "gone.pem"], "cannot read gone.pem: No such file or directory"),
        (["--cert", __file__], "give both --cert and --key"),
        (["--model", "other"], "model 'other' is missing"),
        (["--base-path", "nowhere"], "cannot read the base path nowhere"),
    ],
)
def test_invalid_files_and_options_exit_with_2(tmp_path, monkeypatch, capsys, arguments, message):
    (tmp_path / "models.config").write_text(CONFIG.format(base=tmp_path, entry=ADOPTED))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["status", *arguments]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("seq2sum-rollout: ")
    assert message in err


def test_missing_model_config_file_shows_an_example(tmp_path, capsys):
    assert cli.main(["status", "--config", str(tmp_path / "gone")]) == Exit.USAGE
    err = capsys.readouterr().err
    assert "cannot find the model config file" in err
    assert "model_config_list" in err


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
