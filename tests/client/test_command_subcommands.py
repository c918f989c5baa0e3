"""`seq2sum` on a fake server: every subcommand but `add`, options that all share, and advice."""

from __future__ import annotations

import json
from importlib import metadata

import grpc
import pytest
from seq2sum._command import main
from seq2sum._command.errors import error_message
from seq2sum._errors import Unavailable
from seq2sum._servable import Servable
from seq2sum.addition import fake_replies
from seq2sum.testing import FakeServer
from support import servers
from support.certificates import Certificates
from support.command_runs import Failing, runner
from support.shell import NO_QUESTION


@pytest.fixture(scope="module")
def module_server():
    with FakeServer(versions=(1, 2), labels={"stable": 1}) as server:
        yield server


@pytest.fixture
def server(module_server):
    module_server.calls.clear()
    return module_server


@pytest.fixture
def run(server, capsys):
    return runner(server, capsys)


def test_version_and_label_select_the_version(run, server):
    assert "version 1)" in run("add", "1+1", "--version", 1)[1]
    assert "version 1)" in run("explain", "1+1", "--label", "stable")[1]
    assert [(call.version, call.label) for call in server.calls] == [(1, None), (None, "stable")]
    assert run("status", "--label", "stable")[1] == "version 1  AVAILABLE\n"


def test_status_shows_the_newest_version_first(run, server):
    assert run("status") == (0, "version 2  AVAILABLE\nversion 1  AVAILABLE\n", "")
    code, out, _ = run("status", "--json", "--wait", 5)
    states = [
        {"version": 2, "state": "AVAILABLE", "error": ""},
        {"version": 1, "state": "AVAILABLE", "error": ""},
    ]
    assert code == 0
    assert json.loads(out) == {"target": server.target, "model": "seq2sum", "versions": states}


def test_status_without_versions_fails(run):
    with FakeServer(versions=()) as empty:
        assert run("status", target=empty.target)[:2] == (1, "")
        code, out, err = run("status", "--wait", 1, target=empty.target)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "last status: Could not find any versions" in err
    assert err.endswith("; set a longer --wait\n")


def test_explain_draws_a_bar_chart(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    code, out, err = run("explain", "53+42", "x", "--top", 2)
    assert (code, err) == (1, f"seq2sum: 'x' {NO_QUESTION}\n")
    assert out == (
        "53+42 = 95  (confidence 0.9900, version 2)\n"
        "\n"
        "  1  9  0.9975  ████████████████████████\n"
        "     ␣  0.0002\n"
        "  2  5  0.9975  ████████████████████████\n"
        "     ␣  0.0002\n"
        "  3  ␣  0.9975  ████████████████████████\n"
        "     +  0.0002\n"
        "  4  ␣  0.9975  ████████████████████████\n"
        "     +  0.0002\n"
        "  ␣ is a blank\n"
    )


def test_explain_json_has_the_whole_alphabet(run):
    code, out, _ = run("explain", "5+5", "--json")
    found = json.loads(out)
    assert (code, found["answer"], found["version"], len(found["positions"])) == (0, "10", 2, 4)
    assert found["confidence"] == pytest.approx(0.99)
    assert [len(position) for position in found["positions"]] == [12] * 4
    assert found["positions"][0][0] == {
        "character": "1",
        "probability": pytest.approx(0.9975, abs=1e-4),
    }


def test_describe_shows_digits_and_signatures(run):
    code, out, _ = run("describe")
    assert (code, out.splitlines()[:2]) == (
        0,
        ["seq2sum, version 2", "  3   maximum digits per operand"],
    )
    assert "    output  probabilities  float [any, 4, 12]\n" in out
    code, out, _ = run("describe", "--json")
    found = json.loads(out)
    assert (code, found["digits"], found["missing"]) == (0, 3, [])
    assert found["signatures"]["serving_default"]["inputs"] == {
        "questions": {"dtype": "DT_STRING", "shape": [-1]}
    }


def test_describe_leaves_out_the_init_op(run, monkeypatch):
    described = fake_replies.contract.describe

    def real(**sizes):
        whole = described(**sizes)
        output = {"__saved_model_init_op": {"dtype": "DT_INVALID", "shape": []}}
        whole["signatures"]["__saved_model_init_op"] = {"inputs": {}, "outputs": output}
        return whole

    monkeypatch.setattr(fake_replies.contract, "describe", real)
    for line in (("describe",), ("describe", "--json")):
        code, out, err = run(*line)
        assert (code, "saved_model" in out, err) == (0, False, "")


def test_describe_reports_what_is_missing(run, monkeypatch):
    described = fake_replies.contract.describe

    def lacking(**sizes):
        whole = described(**sizes)
        del whole["signatures"]["one_hot"]
        return whole

    monkeypatch.setattr(fake_replies.contract, "describe", lacking)
    code, out, err = run("describe")
    assert (code, "signature one_hot" in out) == (1, False)
    assert err == "seq2sum: not a seq2sum model: missing signature one_hot\n"


def test_watch_continues_after_a_failed_poll(run):
    with Failing(iter([None, None, grpc.StatusCode.INTERNAL])) as failing:
        line = ("watch", "--count", 3, "--interval", 0, "--probe", "1+2")
        code, out, err = run(*line, target=failing.target)
    first, second, third = out.splitlines()
    assert (code, err) == (1, "")
    assert "  1+2 = 3  (confidence 0.9900, version 1); latency " in first
    assert "  made to fail [INTERNAL from" in second
    assert "; version 1  AVAILABLE" in third
    assert run("watch", "--count", 1)[0] == 0


def test_errors_are_one_line_with_advice(run, tmp_path):
    nobody = f"127.0.0.1:{servers.free_port()}"
    token = tmp_path / "token"
    token.write_text("two words")
    for line, message, code in [
        (("add", "1+1", "--model", "nope"), "; set the name of a served model with --model", 1),
        (("add", "1+1", "--version", 9), "; list the available versions: seq2sum status", 1),
        (("add", "1+1", "--label", "nope"), "label nope]; list the available", 1),
        (("add", "1+1", "--input", tmp_path), "questions and --input exclude each other", 2),
        (("add", "--input", tmp_path / "nope"), "nope: No such file or directory", 2),
        (("add", "--input", tmp_path), "it is a directory", 2),
        (("add", "1+1", "--output", tmp_path), "it is a directory", 2),
        (("add", "1+1", "--output", tmp_path / "no" / "file"), "No such file or directory", 2),
        (("add", "1+1", "--output", "/dev/full"), "cannot write /dev/full: No space left", 1),
        (("add", "1+1", "--ca", tmp_path / "nope"), "nope: No such file or directory", 2),
        (("add", "1+1", "--ca", token), "is not a PEM file", 2),
        (("add", "1+1", "--cert", token), "give --cert and --key", 2),
        (("add", "1+1", "--split", tmp_path / "nope"), "cannot be read: No such file", 2),
        (("add", "1+1", "--split", token), "invalid JSON", 2),
        (("add", "1+1", "--token-file", tmp_path / "nope"), "cannot read --token-file", 2),
        (("add", "1+1", "--token-file", token), "expected one word", 2),
        (("status",), f"is a server running at {nobody}? Start one", 1),
        (("status",), "invalid address 'a:1'", 2),
    ]:
        where = {"Start one": nobody, "a:1": "a:1,b:2"}
        target = next(({"target": at} for word, at in where.items() if word in message), {})
        found, _, err = run(*line, **target)
        assert (message in err, found, err.count("\n")) == (True, code, 1), err


def test_version_option_without_a_subcommand_prints_the_package_version(run, capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"seq2sum {metadata.version('seq2sum')}\n"
    assert run("add", "1+1", "--version", 1)[1].endswith(", version 1)\n")


def test_advice_names_the_reachable_address_of_localhost(tmp_path):
    # gRPC reports the address that it tried last: here nothing listens on ::1.
    refused = Unavailable(
        "last error: ipv6:%5B::1%5D:1: Connection refused",
        code=grpc.StatusCode.UNAVAILABLE,
        target="localhost:1",
        servable=Servable("seq2sum"),
    )
    assert "; is a server running at localhost:1?" in error_message(refused)
    with FakeServer(credentials=Certificates(tmp_path).of_server()) as server:
        port = server.target.rpartition(":")[2]
        refused.target = f"localhost:{port}"
        assert (
            f"; but 127.0.0.1:{port} accepts connections: try --target 127.0.0.1:{port}"
            in error_message(refused)
        )


def test_token_needs_tls_and_is_sent_with_it(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    certificates = Certificates(tmp_path)
    (tmp_path / "token").write_text("opensesame\n")
    credentials = certificates.of_server("seq2sum.test")
    with FakeServer(credentials=credentials) as secure:
        line = ("add", "1+1", "--token-file", "token")
        code, _, err = run(*line, target=secure.target)
        assert (code, "--token-file needs --tls" in err) == (2, True)
        line += ("--ca", str(certificates.ca), "--server-name", "seq2sum.test")
        assert run(*line, target=secure.target)[0] == 0
        assert ("authorization", "Bearer opensesame") in secure.calls[0].metadata
        code, _, err = run("add", "1+1", "--tls", target=secure.target)
        assert (code, err.count("\n")) == (1, 1)
        assert "was issued by an untrusted authority: see TLS.ca or --ca" in err
