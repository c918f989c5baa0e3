"""Options of the candidate group: their defaults, and combinations that are refused."""

from __future__ import annotations

import pytest
from seq2sum_serving.deployment.errors import Exit
from support.rollout_calls import POLICY, caller, make_bench

GROUP = ("--candidate-targets", "x:1")


@pytest.fixture
def bench(tmp_path, monkeypatch):
    opened = make_bench(tmp_path, monkeypatch, candidate_group=True)
    opened.use_analysis(monkeypatch, opened.gates)
    return opened


@pytest.fixture
def call(bench, capsys):
    return caller(bench, capsys)


def test_policy_file_names_the_candidate_group(bench, call):
    policy = bench.folder / "policy.toml"
    policy.write_text(f'{POLICY}[candidate]\ntargets = "x:1"\nrouter = "none"\n')
    code, out, err = call("run", bench.export(2))
    assert (code, bench.loaded()) == (Exit.DONE, {1, 2}), err
    assert "version 2: step without traffic" in err
    assert "version 2 is stable" in out


def test_options_come_before_the_policy_file(bench, call):
    policy = bench.folder / "policy.toml"
    policy.write_text(f'{POLICY}[candidate]\ntargets = "y:1"\nrouter = "none"\n')
    code, _, err = call("run", bench.export(2), *GROUP, "--router", "client")
    assert code == Exit.DONE
    assert "version 2: step at weight 5 %" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--router", "envoy"], "--router envoy needs --candidate-targets"),
        ([*GROUP, "--router", "envoy"], "--router envoy needs --envoy-admin"),
        ([*GROUP, "--router", "envoy", "--envoy-admin", "x"], "invalid --envoy-admin 'x'"),
        ([*GROUP, "--candidate-config", "gone.config"], "cannot find the model config file of the"),
        ([*GROUP, "--candidate-config", "models.config"], "is the file of the other servers"),
    ],
)
def test_invalid_options(bench, call, monkeypatch, options, message):
    monkeypatch.chdir(bench.folder)
    before = bench.files()
    code, _, err = call("repair", *options)
    assert (code, bench.files()) == (Exit.USAGE, before)
    assert message in err


@pytest.mark.parametrize(
    "command", [["rollback"], ["promote", "2"], ["retire", "2"], ["repair"], ["run", "2"]]
)
def test_change_that_forgets_the_candidate_group_is_refused(bench, call, command):
    bench.export(2, bench.base / "2")
    assert call("canary", 2, "--weight", "10", *GROUP)[0] == Exit.DONE
    before = bench.files()
    code, _, err = call(*command)
    assert (code, bench.files()) == (Exit.FAILED, before)
    assert "version 2 is judged in the candidate group, by " in err
    assert call("rollback", *GROUP)[0] == Exit.DONE
    assert (bench.loaded(), bench.weights) == ({1}, {"stable": 100})
