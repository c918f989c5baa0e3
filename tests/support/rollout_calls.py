"""Calls of `seq2sum-rollout` in the process of a test, on a bench."""

from __future__ import annotations

from seq2sum_serving.deployment import replicas
from seq2sum_serving.rollout import cli
from support.rollout_bench import Bench


def make_bench(tmp_path, monkeypatch):
    """Makes a bench whose fake replicas the commands use, with a policy for short runs."""
    opened = Bench(tmp_path, monkeypatch)
    monkeypatch.setattr(replicas, "Replicas", lambda *_, **__: opened.replicas)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "policy.toml").write_text("[traffic]\nsteps = [5]\nsettle = 0.2\n")
    return opened


def caller(bench, capsys):
    """Returns a function that calls a command; it returns exit code, stdout and stderr."""

    def call(*arguments):
        options = ["--config", str(bench.file)]
        if arguments[0] == "run":
            options += ["--policy", str(bench.folder / "policy.toml")]
        code = cli.main([*map(str, arguments), *options])
        return code, *capsys.readouterr()

    return call
