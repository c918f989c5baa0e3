"""The command line: help, usage errors, invalid files, and standard output of any kind."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from seq2sum_serving.deployment.errors import Exit
from seq2sum_serving.rollout import cli
from seq2sum_serving.rollout.change_options import ChangeOptions
from seq2sum_serving.rollout.commands import COMMANDS
from support.rollout_bench import ADOPTED, CONFIG
from support.rollout_calls import caller, make_bench


@pytest.fixture
def bench(tmp_path, monkeypatch):
    return make_bench(tmp_path, monkeypatch)


@pytest.fixture
def call(bench, capsys):
    return caller(bench, capsys)


def test_help_lists_commands_examples_and_exit_codes(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    out, err = capsys.readouterr()
    assert ended.value.code == 0
    assert err == ""
    assert "seq2sum-rollout run 3 --targets" in out
    assert "3  inconclusive" in out
    commands = "status publish canary promote rollback retire repair run history watch"
    commands += " golden contract"
    assert all(f"\n    {command} " in out for command in commands.split())


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_of_a_command_starts_with_a_sentence(capsys, command):
    with pytest.raises(SystemExit):
        cli.main([*command.split(), "--help"])
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


LINES_WITHOUT_WORK = "--help", "--version", "golden record --help", "status --count 1"
SLOW_IMPORTS = "asyncio", "google", "grpc", "msgspec", "numpy", "rich", "seq2sum"


@pytest.mark.parametrize("line", LINES_WITHOUT_WORK)
def test_help_imports_no_slow_module(line):
    """Most of the time of `--help` would go into them."""
    code = (
        "import sys\n"
        "from seq2sum_serving.rollout import cli\n"
        "try:\n"
        f"    cli.main({line.split()})\n"
        "finally:\n"
        f"    print(*[m for m in {SLOW_IMPORTS} if m in sys.modules])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert ended.stdout.splitlines()[-1] == ""
    assert "Traceback" not in ended.stderr


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
        ("golden", "the following arguments are required: ACTION"),
        ("golden record", "the following arguments are required: --from"),
        ("contract check", "invalid choice: 'check'"),
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
