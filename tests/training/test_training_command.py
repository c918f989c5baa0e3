"""The command line of `seq2sum-train`: its version, and the help of each verb."""

from __future__ import annotations

from importlib import metadata

import pytest
from seq2sum_training.cli import parser

VERBS = ("fit", "resume", "evaluate", "report", "export", "show")


def printed(capsys, *line):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(line)
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_version_is_that_of_the_package(capsys):
    version = metadata.version("seq2sum-training")
    assert printed(capsys, "--version") == f"seq2sum-train {version}\n"


def test_help_lists_every_verb(capsys):
    listed = printed(capsys, "--help")
    assert all(f"\n    {verb} " in listed for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_starts_with_what_it_does(capsys, verb):
    usage, description, *_ = printed(capsys, verb, "--help").split("\n\n")
    assert usage.startswith(f"usage: seq2sum-train {verb} ")
    assert description.endswith(".")  # a sentence, where a list of options stands without one


def test_help_shows_a_command_in_a_line(capsys):
    lines = printed(capsys, "--help").splitlines()
    assert "  seq2sum-train export runs/mine --to models/seq2sum" in lines


@pytest.mark.parametrize("text", ["nan", "-1", "inf", "soon", ""])
def test_a_time_that_is_not_one_is_refused(capsys, text):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["resume", "run", f"--checkpoint-every={text}"])
    assert ended.value.code == 2
    assert "expected seconds, 0 or more" in capsys.readouterr().err


def test_an_export_can_be_forced_and_errors_can_be_allowed():
    parse = parser().parse_args
    assert parse(["export", "run", "--to", "base", "--force"]).force
    assert not parse(["export", "run", "--to", "base"]).force
    assert parse(["evaluate", "run", "--allow-errors"]).allow_errors
    assert not parse(["evaluate", "run"]).allow_errors
