"""Completion of every command by a real bash, as docs/install.md sets it up, and their help."""

from __future__ import annotations

import argparse
import subprocess
import tomllib

import pytest
import seq2sum._command.command_line
import seq2sum_serving.probe.options
import seq2sum_serving.rollout.options
import seq2sum_training.cli
from support import doc_snippets
from support.paths import BIN, ROOT

pytestmark = [pytest.mark.server, pytest.mark.end_to_end]

[SETUP] = [
    line
    for _, block in doc_snippets.blocks(doc_snippets.text("docs/install.md"))
    for line in block.splitlines()
    if line.startswith('eval "$(register-python-argcomplete seq2sum ')
]
"""The line of the documentation for bash."""
ASK = """
set -o nounset
PATH="$1:$PATH"
eval "$2"
COMP_LINE=$3 COMP_POINT=${#3} COMP_TYPE=9
set -- $3
function=$(complete -p "$1" | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
"$function" "$1" 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""Asks the function that bash would call for the candidates of a line."""


def candidates(line):
    """Returns the candidates of a command line."""
    ended = subprocess.run(
        ["bash", "--norc", "-c", ASK, "bash", BIN, SETUP, line],
        cwd=ROOT / "client", capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return {each.strip() for each in ended.stdout.splitlines()}


@pytest.mark.parametrize(
    ("line", "some", "none"),
    [
        ("seq2sum ", {"add", "predict", "status", "--version"}, {"--model"}),
        ("seq2sum predict --mo", {"--model"}, {"--input"}),
        ("seq2sum add --format ", {"text", "csv", "jsonl"}, {"--format"}),
        ("seq2sum predict --input L", {"LICENSE"}, {"src"}),
        ("seq2sum-train e", {"evaluate", "export"}, {"fit"}),
        ("seq2sum-rollout golden ", {"record", "check"}, {"run"}),
        ("seq2sum-rollout run --router e", {"envoy"}, {"client"}),
        ("seq2sum-probe --on", {"--once"}, {"--json"}),
        ("seq2sum-serve --model_config", {"--model_config_file="}, {"--model_config_file"}),
        ("seq2sum-serve --enable_bat", {"--enable_batching"}, {"--port="}),
        ("seq2sum-serve --model_config_file=L", {"LICENSE"}, {"--port="}),
    ],
)
def test_candidates_of_a_line(line, some, none):
    found = candidates(line)
    assert found >= some
    assert not found & none


def test_every_command_is_registered():
    projects = (ROOT / name / "pyproject.toml" for name in ("client", "training", "serving"))
    scripts = [tomllib.loads(path.read_text())["project"]["scripts"] for path in projects]
    assert set(SETUP.removesuffix(')"').split()[2:]) == {name for each in scripts for name in each}


def undocumented(parser):
    """Yields the commands without a description, and their arguments without a help text."""
    if not parser.description:
        yield parser.prog
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from undocumented(each)
        elif not action.help:
            yield f"{parser.prog} {action.dest}"


@pytest.mark.parametrize(
    "module",
    [
        seq2sum._command.command_line,
        seq2sum_serving.probe.options,
        seq2sum_serving.rollout.options,
        seq2sum_training.cli,
    ],
    ids=lambda module: module.__name__,
)
def test_every_command_and_argument_has_a_help_text(module):
    assert list(undocumented(module.parser())) == []
