"""The command line of `seq2sum-train`: help, version and option values."""

from __future__ import annotations

from importlib import metadata

import pytest
from seq2sum_training.cli import parser

VERBS = ("fit", "resume", "evaluate", "report", "export", "show")


def help_output(capsys, *line):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(line)
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_version_option_prints_the_package_version(capsys):
    version = metadata.version("seq2sum-training")
    assert help_output(capsys, "--version") == f"seq2sum-train {version}\n"


def test_help_lists_every_verb(capsys):
    overview = help_output(capsys, "--help")
    assert all(f"\n    {verb} " in overview for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_has_a_description(capsys, verb):
    usage, description, *_ = help_output(capsys, verb, "--help").split("\n\n")
    assert usage.startswith(f"usage: seq2sum-train {verb} ")
    assert description.endswith(".")  # a sentence, not the list of options


def test_help_has_examples_on_one_line(capsys):
    lines = help_output(capsys, "--help").splitlines()
    assert "  seq2sum-train export runs/mine --to models/seq2sum" in lines


@pytest.mark.parametrize("text", ["nan", "-1", "inf", "soon", ""])
def test_invalid_checkpoint_interval_is_refused(capsys, text):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["resume", "run", f"--checkpoint-every={text}"])
    assert ended.value.code == 2
    assert "expected seconds, 0 or more" in capsys.readouterr().err


def test_force_and_allow_errors_are_off_by_default():
    parse = parser().parse_args
    assert parse(["export", "run", "--to", "base", "--force"]).force
    assert not parse(["export", "run", "--to", "base"]).force
    assert parse(["evaluate", "run", "--allow-errors"]).allow_errors
    assert not parse(["evaluate", "run"]).allow_errors
