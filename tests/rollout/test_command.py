"""The command: what it prints where, and what it ends with."""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata
from pathlib import Path

import pytest
from seq2sum_serving.deployment.errors import Exit
from seq2sum_serving.rollout import cli
from seq2sum_serving.rollout.commands import VERBS
from support.rollout_bench import ADOPTED, PLAIN, Bench


@pytest.fixture
def bench(tmp_path, monkeypatch):
    found = Bench(tmp_path, monkeypatch)
    monkeypatch.setattr(cli, "Replicas", lambda *_, **__: found.fleet)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "policy.toml").write_text("[traffic]\nsteps = [5]\nsettle = 0.2\n")
    return found


@pytest.fixture
def called(bench, capsys):
    """Calls it; gives back exit code, standard output and standard error."""

    def call(*arguments, options=True):
        there = ["--config", str(bench.file)] if options else []
        if options and arguments[0] == "run":
            there += ["--policy", str(bench.folder / "policy.toml")]
        code = cli.main([*map(str, arguments), *there])
        return code, *capsys.readouterr()

    return call


def test_help_tells_every_verb_with_examples_and_exit_codes(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    out, err = capsys.readouterr()
    assert ended.value.code == 0
    assert err == ""
    assert "seq2sum-rollout run 3 --targets" in out
    assert "3  inconclusive" in out
    verbs = ["status", "publish", "canary", "promote", "rollback"]
    verbs += ["retire", "repair", "run", "history", "watch"]
    assert all(f"\n    {verb} " in out for verb in verbs)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_help_of_a_verb_says_in_a_sentence_what_it_does(capsys, verb):
    with pytest.raises(SystemExit):
        cli.main([verb, "--help"])
    description = capsys.readouterr().out.split("\n\n")[1]
    assert description[0].isupper()
    assert description.endswith(".")


@pytest.mark.parametrize("line", [["retire", "2"], ["retire", "2", "--json"]])
def test_a_disk_that_is_full_does_not_change_what_was_done(bench, monkeypatch, capsys, line):
    bench.export(2, bench.base / "2")
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert cli.main([*line, "--config", str(bench.file)]) == Exit.DONE
    assert "cannot write to standard output: No space left" in capsys.readouterr().err
    assert "retired" in bench.done


@pytest.mark.parametrize(
    "line", [["history"], ["status", "--json"], ["watch"], ["watch", "--json"]]
)
def test_a_reader_that_goes_away_is_no_traceback(bench, monkeypatch, capsys, line):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert cli.main([*line, "--config", str(bench.file)]) in (Exit.DONE, Exit.FAILED)
    assert capsys.readouterr().err == ""


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"seq2sum-rollout {metadata.version('seq2sum-serving')}\n"


@pytest.mark.parametrize("verb", ["status", "history", "watch --count 1"])
def test_in_a_pipe_no_line_is_broken_and_none_is_padded(called, bench, monkeypatch, verb):
    monkeypatch.delenv("COLUMNS")
    bench.export(2, bench.base / "2")
    why = "a reason that is longer than eighty columns, " * 4
    bench.deployment().note("failed", 3, why)
    bench.export(3, bench.base / "3")
    bench.fleet.servers[0].target = f"{'a' * 60}.example.org:8500"
    bench.fleet.servers[1].error = "UNAVAILABLE " + "gone " * 40
    _, out, _ = called(*verb.split())
    lines = out.splitlines()
    assert max(map(len, lines)) < 1000
    assert any(" ".join(why.split()) in line for line in lines)
    if verb != "history":
        assert any(bench.fleet.servers[1].error.strip() in line for line in lines)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "the following arguments are required: VERB"),
        ("deploy 3", "invalid choice: 'deploy'"),
        ("promote", "the following arguments are required: V"),
        ("promote three", "'three' is no version: a whole number from 0 on"),
        ("canary 2 --percent 101", "invalid number '101': expected a number from 0 to 100"),
        ("canary 2 --percent nan", "invalid number 'nan': expected a number from 0 to 100"),
        ("history --last 0", "invalid count '0': expected a positive integer"),
        ("watch --every 0", "invalid number '0': expected a number from 0.05 to 3600"),
        ("status --why x", "unrecognized arguments: --why"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_was_wrong(capsys, line, said):
    with pytest.raises(SystemExit) as ended:
        cli.main(line.split())
    out, err = capsys.readouterr()
    assert ended.value.code == Exit.USAGE
    assert out == ""
    assert said in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--targets", "nowhere"], "invalid target 'nowhere': expected host:port"),
        (["--policy", "gone.toml"], "gone.toml"),
        (["--ca", "gone.pem"], "cannot read gone.pem: No such file or directory"),
        (["--cert", __file__], "give both --cert and --key"),
        (["--model", "other"], "other"),
    ],
)
def test_files_and_options_that_make_no_sense_end_with_2(
    tmp_path, monkeypatch, capsys, arguments, said
):
    (tmp_path / "models.config").write_text(PLAIN.format(base=tmp_path, more=ADOPTED))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["status", *arguments]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("seq2sum-rollout: ")
    assert said in err


def test_without_a_file_of_record_it_shows_one(tmp_path, capsys):
    assert cli.main(["status", "--config", str(tmp_path / "gone")]) == Exit.USAGE
    err = capsys.readouterr().err
    assert "cannot find the model config file" in err
    assert "model_config_list" in err


def test_a_status_is_for_a_person_or_with_json_for_a_program(called):
    code, out, err = called("status")
    assert (code, err) == (Exit.DONE, "")
    assert "AVAILABLE" in out
    code, out, err = called("status", "--json")
    assert (code, err) == (Exit.DONE, "")
    [line] = out.splitlines()
    told = json.loads(line)
    assert (told["verb"], told["exit"]) == ("status", 0)
    assert told["seconds"] >= 0


def test_drift_ends_a_status_with_1(called, bench):
    bench.fleet.servers[1].error = "UNAVAILABLE gone"
    code, out, _ = called("status")
    assert code == Exit.FAILED
    assert "b:1 does not answer" in out


def test_a_run_tells_what_it_does_on_standard_error_alone(called, bench):
    code, out, err = called("run", bench.export(2), "--json", "--why", "better")
    assert code == Exit.DONE
    assert json.loads(out)["version"] == 2
    assert "version 2: promoting it" in err
    code, out, err = called("history", "--json")
    [promoted] = [one for one in json.loads(out)["events"] if one["kind"] == "promoted"]
    assert promoted["reason"] == "better"
    code, out, err = called("history", "--last", "2")
    assert (code, err) == (Exit.DONE, "")
    assert "run ended" in out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["promote", 9], Exit.FAILED, "version 9 is not on disk"),
        (["retire", 1], Exit.FAILED, "version 1 is stable"),
        (["rollback"], Exit.FAILED, "there is nothing to go back to"),
        (["publish", "gone"], Exit.USAGE, "gone is not a version folder"),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_error_is_one_line_on_standard_error(called, arguments, code, said, form):
    found, out, err = called(*arguments, *form)
    assert found == code
    last = err.splitlines()[-1]
    assert last.startswith("seq2sum-rollout: ")
    assert said in last
    if form:
        told = json.loads(out)
        assert said in told["error"]
        assert told["exit"] == code
    else:
        assert out == ""


@pytest.mark.parametrize("gate", ["Failed", "Inconclusive"])
def test_a_run_that_does_not_come_through_says_so_by_its_exit_code(called, bench, gate):
    bench.gates.script["golden"] = gate
    code, out, err = called("run", bench.export(2), "--json")
    assert code == {"Failed": Exit.FAILED, "Inconclusive": Exit.INCONCLUSIVE}[gate]
    assert json.loads(out)["exit"] == code
    assert f"golden: {gate} it" in err.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [["publish", "{}"], ["run", "{}"], ["canary", "2"], ["promote", "2"], ["retire", "2"]],
    ids=lambda arguments: arguments[0],
)
def test_a_dry_run_shows_steps_and_touches_nothing(called, bench, arguments):
    if arguments[1] == "{}":
        arguments = [arguments[0], str(bench.export(2))]
    else:
        bench.export(2, bench.base / "2")
    before = {path: path.read_bytes() for path in bench.folder.rglob("*") if path.is_file()}
    code, out, _ = called(*arguments, "--dry-run")
    assert code == Exit.DONE
    assert arguments[0] == "retire" or out.strip()
    assert {p: p.read_bytes() for p in bench.folder.rglob("*") if p.is_file()} == before
    code, out, _ = called(*arguments, "--dry-run", "--json")
    assert isinstance(json.loads(out)["plan"], list)
    assert bench.events == []


def test_control_c_ends_it_with_a_word_and_what_was_begun_goes_on(called, bench):
    def interrupted():
        raise KeyboardInterrupt

    bench.gates.script["errors 5"] = interrupted
    folder = bench.export(2)
    code, out, err = called("run", folder, "--json")
    assert code == cli.INTERRUPTED
    assert json.loads(out)["error"] == "interrupted"
    assert "The same command goes on from there" in err
    bench.gates.script.clear()
    code, _, err = called("run", folder)
    assert code == Exit.DONE
    assert "going on with the run of version 2: it passed the gates without traffic" in err


def test_by_hand_a_version_gets_a_trial_and_all_of_it_and_goes_back(called, bench):
    assert called("publish", bench.export(2))[0] == Exit.DONE
    assert called("canary", 2, "--percent", 10)[0] == Exit.DONE
    assert bench.weights == {"stable": 90, "canary": 10}
    assert called("promote", 2)[0] == Exit.DONE
    assert bench.recorded.labels == {"stable": 2, "canary": 2, "previous": 1}
    code, out, _ = called("rollback")
    assert code == Exit.DONE
    assert "version 1 has all of the traffic" in out
    assert called("retire", 2)[0] == Exit.DONE
    assert bench.loaded() == {1}


def test_a_trial_that_fails_its_gates_by_hand_is_unloaded(called, bench):
    bench.gates.script["golden"] = "Failed"
    bench.export(2, bench.base / "2")
    assert called("canary", 2)[0] == Exit.FAILED
    assert bench.loaded() == {1}
    assert bench.recorded.labels == {"stable": 1, "canary": 1}


def test_replicas_that_do_not_have_what_the_file_says_are_repaired(called, bench):
    bench.export(2, bench.base / "2")
    bench.file.write_text(bench.file.read_text().replace("versions: 1", "versions: 1 versions: 2"))
    assert called("status")[0] == Exit.FAILED
    assert called("repair")[0] == Exit.DONE
    assert bench.loaded() == {1, 2}
    assert bench.done == ["repaired"]
    assert called("repair")[0] == Exit.DONE  # nothing to do is nothing to note
    assert bench.done == ["repaired"]


def test_watch_gives_a_line_of_json_for_each_look(called):
    code, out, err = called("watch", "--count", "2", "--every", "0.05", "--json")
    *looks, last = map(json.loads, out.splitlines())
    assert (code, err, len(looks)) == (Exit.DONE, "", 2)
    assert all(look["versions"] and look["when"] for look in looks)
    assert last["verb"] == "watch"


@pytest.mark.parametrize("verb", ["status", "history"])
def test_verbs_that_only_look_take_a_dry_run(called, verb):
    assert called(verb, "--dry-run")[1] == called(verb)[1]
