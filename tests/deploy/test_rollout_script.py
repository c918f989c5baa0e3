"""rollout.sh, the command of the tools image: the options that it adds to those of the operator."""

from __future__ import annotations

import os
import subprocess

import pytest
from support.paths import ROOT

SCRIPT = ROOT / "serving" / "docker" / "rollout.sh"
DEFAULTS = ["--config", "/models/models.config", "--targets", "serving:8500"]
GROUP = {"CANDIDATE_TARGETS": "c:8500", "ENVOY_ADMIN": "router:8511"}


@pytest.fixture
def run(tmp_path):
    """Returns the arguments of seq2sum-rollout."""
    program = tmp_path / "seq2sum-rollout"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)

    def run(*arguments, **variables):
        done = subprocess.run(
            ["bash", SCRIPT, *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", **variables},
        )
        assert done.stderr == ""
        return done.stdout.splitlines()

    return run


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        ({}, []),
        # compose sets these always, and an empty ROUTER.
        ({**GROUP, "ROUTER": ""}, []),
        (
            {**GROUP, "ROUTER": "envoy", "CANDIDATE_CONFIG": "/m/c.config"},
            [
                *("--router", "envoy", "--candidate-targets", "c:8500"),
                *("--candidate-config", "/m/c.config", "--envoy-admin", "router:8511"),
            ],
        ),
        (
            {"ROUTER": "none", "CANDIDATE_TARGETS": "c:8500"},
            ["--router", "none", "--candidate-targets", "c:8500"],
        ),
        ({"MODEL": "price"}, ["--model", "price"]),
    ],
)
def test_variables_become_options_after_the_command(run, variables, options):
    for command, arguments in ((["run"], ["2", "--json"]), (["golden", "record"], ["--from", "x"])):
        found = run(*command, *arguments, **variables)
        assert found == [*command, *DEFAULTS, *options, *arguments]


def test_without_a_command_it_only_passes_its_arguments(run):
    assert run("--help", **GROUP, ROUTER="envoy") == ["--help"]
