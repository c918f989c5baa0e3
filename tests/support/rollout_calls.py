"""Calls of `seq2sum-rollout` in the process of a test, on a bench."""

from __future__ import annotations

from seq2sum_serving.rollout import cli, opening
from support.rollout_bench import Bench

POLICY = '[traffic]\nsteps = [5]\nsettle = 0.2\nunlabelled_callers = "none"\n'


def make_bench(tmp_path, monkeypatch, **options):
    """Makes a bench whose fake replicas the commands use, with a policy for short runs."""
    opened = Bench(tmp_path, monkeypatch, **options)

    def replicas(*_, option="", **__):
        return opened.candidates if option == "--candidate-targets" else opened.replicas

    monkeypatch.setattr(opening, "Replicas", replicas)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "policy.toml").write_text(POLICY)
    return opened


def caller(bench, capsys):
    """Returns a function that calls a command; it returns exit code, stdout and stderr."""

    def call(*arguments):
        options = ["--config", str(bench.file)]
        if arguments[0] in ("run", "canary", "promote"):
            options += ["--policy", str(bench.folder / "policy.toml")]
        code = cli.main([*map(str, arguments), *options])
        return code, *capsys.readouterr()

    return call
