"""Fixtures that run the probe in this process, against fake servers."""

from __future__ import annotations

import contextlib
import io

import pytest
from seq2sum.testing import FakeServer
from seq2sum_serving.probe import cli, options
from support.deployed import CommandResult
from support.probed_models import SUMS, model_config, write_golden


@pytest.fixture
def config(tmp_path):
    """A model config file for addition, with golden requests."""
    path = tmp_path / "models.config"
    path.write_text(model_config(tmp_path, "seq2sum"))
    lines = (
        {"inputs": {"questions": [f"{a}+{b}"]}, "expect": {"answers": [str(a + b)]}}
        for a, b in SUMS
    )
    write_golden(tmp_path / "seq2sum", *lines)
    return path


@pytest.fixture
def once(config):
    """Runs `seq2sum-probe --once`."""

    def run(*arguments):
        out, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            code = cli.main(["--once", "--config", str(config), *map(str, arguments)])
        return CommandResult(code, out.getvalue(), errors.getvalue())

    return run


@pytest.fixture
def create_prober(config):
    """Creates a prober for several rounds."""
    with contextlib.ExitStack() as stack:

        def create(*arguments):
            line = ["--config", str(config), *map(str, arguments)]
            return stack.enter_context(cli.create_prober(options.parsed(line)))

        yield create


@pytest.fixture
def fake():
    """Creates a fake server whose labels both point to version 2."""

    def create(**parameters):
        labels = {"stable": 2, "canary": 2}
        return FakeServer(**{"versions": [2], "labels": labels} | parameters)

    return create
