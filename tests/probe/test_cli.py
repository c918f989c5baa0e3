"""The command line of seq2sum-probe: its help, and what it rejects."""

from __future__ import annotations

import socket
from importlib import metadata

import pytest
from seq2sum_serving.probe import cli
from seq2sum_serving.probe import options as probe_options
from seq2sum_serving.rollout import options as rollout_options


def test_help_has_examples_and_exit_codes(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    out, errors = capsys.readouterr()
    assert (ended.value.code, errors) == (0, "")
    assert "seq2sum-probe --once --config /models/models.config" in out
    assert "http://127.0.0.1:9851/metrics" in out
    for code in (0, 1, 2):
        assert f"\n  {code}  " in out
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize(("value", "model"), [("any", "any"), ("", None), (None, None)])
def test_the_variable_is_a_default_of_the_rollout_tool_and_not_of_the_probe(
    monkeypatch, value, model
):
    monkeypatch.delenv("SEQ2SUM_MODEL", raising=False)
    if value is not None:
        monkeypatch.setenv("SEQ2SUM_MODEL", value)
    assert rollout_options.parse(["status"]).model == model
    assert rollout_options.parse(["status", "--model", "other"]).model == "other"
    assert probe_options.parsed([]).model is None  # all models of the config file


def test_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"seq2sum-probe {metadata.version('seq2sum-serving')}\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--port none", "invalid port 'none': expected an integer, 0 to 65535"),
        ("--port 65536", "invalid port '65536'"),
        ("--interval 0", "invalid number '0': expected a number from 0.05 to 3600"),
        ("--timeout soon", "invalid number 'soon'"),
        ("--requests 0", "invalid count '0': expected a positive integer"),
        ("--labels stable,,canary", "invalid labels 'stable,,canary'"),
        ("--labels stable,stable", "invalid labels 'stable,stable': expected different names"),
        ("--json", "--json prints a single round: add --once"),
        ("--model a,,b", "invalid names 'a,,b': expected names with commas between them"),
        ("--model a,b --model a", "--model names a model twice: a, b, a"),
        ("--model a,b --base-path c", "--base-path is of one model, but --model names several"),
        ("status", "unrecognized arguments: status"),
    ],
)
def test_a_usage_error_exits_with_2(capsys, line, message):
    with pytest.raises(SystemExit) as ended:
        cli.main(line.split())
    out, errors = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert message in errors.splitlines()[-1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--targets nowhere", "invalid target 'nowhere': expected host:port"),
        ("--targets dns:///nowhere", "invalid target 'nowhere': expected host:port"),
        ("--targets ,", "--targets is empty"),
        ("--targets a:1,a:1", "--targets lists a server twice"),
        ("--ca gone.pem", "cannot read gone.pem: No such file or directory"),
        (f"--cert {__file__}", "give both --cert and --key"),
    ],
)
@pytest.mark.parametrize("form", ["", "--once"])
def test_invalid_options_exit_with_2(capsys, line, message, form):
    assert cli.main([*line.split(), *form.split()]) == 2
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.startswith("seq2sum-probe: ")
    assert message in errors


def test_a_port_in_use_exits_with_1(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.main(["--port", str(port)]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line == (
        f"seq2sum-probe: cannot listen on port {port} of 127.0.0.1: Address already in use. "
        "Choose another port with --port"
    )


def test_a_host_of_another_machine_exits_with_1(capsys):
    assert cli.main(["--host", "192.0.2.1", "--port", "0"]) == 1
    assert "cannot listen on port 0 of 192.0.2.1: " in capsys.readouterr().err
