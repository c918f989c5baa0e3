"""The `seq2sum` command, run in this process against a fake server."""

from __future__ import annotations

import json
import re
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
    """Returns a function that runs the command; it returns exit code, stdout and stderr."""

    def run(*line, target=server.target):
        code = main([*map(str, line), "--target", target])
        return code, *capsys.readouterr()

    return run


def test_add_answers_in_order_and_reports_a_refused_question(run):
    code, out, err = run("add", "53+42", "x", "999+1")
    assert code == 1
    assert out == (
        "53+42 = 95  (confidence 0.9900, version 2)\n999+1 = 1000  (confidence 0.9900, version 2)\n"
    )
    assert err == f"seq2sum: 'x' {NO_QUESTION}\n"


def test_add_reports_refused_lines_with_file_and_line(run, tmp_path):
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_bytes(b"\xef\xbb\xbf1+1\r\n\r\n2+2\n")
    second.write_bytes(b"\xff+1\n3+3\n\0\n1234+1")
    code, out, err = run("add", "--input", first, second)
    assert (code, re.findall(r"= (\d+)", out)) == (1, ["2", "4", "6"])
    messages = [line.removeprefix(f"seq2sum: {tmp_path}/") for line in err.splitlines()]
    assert messages[:3] == [
        f"a.txt:2: '' {NO_QUESTION}",
        f"b.txt:1: b'\\xff+1' {NO_QUESTION}",
        f"b.txt:3: '\\x00' {NO_QUESTION}",
    ]
    assert messages[3].startswith("b.txt:4: '1234+1' is too long")
    assert len(messages) == 4


def test_add_csv_and_jsonl_have_a_row_for_each_line(run, tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_bytes(b"1+1\nx\n2+2")
    code, out, err = run("add", "--input", questions, "--format", "csv")
    assert code == 1
    assert out == (
        "question,answer,confidence,version,error\n"
        f"1+1,2,0.99,2,\nx,,,2,'x' {NO_QUESTION}\n2+2,4,0.99,2,\n"
    )
    assert err == "seq2sum: 2 answered, 1 refused: see the messages in the field error\n"
    code, out, err = run("add", "--input", questions, "--format", "jsonl", "--quiet")
    objects = [json.loads(line) for line in out.splitlines()]
    assert [(each["question"], each["answer"]) for each in objects] == [
        ("1+1", "2"), ("x", None), ("2+2", "4"),
    ]  # fmt: skip
    assert (code, err) == (1, "")


def test_add_limits_the_number_of_printed_errors(run, tmp_path):
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("x\n" * 6000)
    code, out, err = run("add", "--input", wrong)
    messages = err.splitlines()
    assert (code, out, len(messages)) == (1, "", 22)
    assert messages[20:] == [
        "seq2sum: further refused questions are only counted; --all-errors prints them",
        "seq2sum: 0 answered, 6,000 refused: see the messages above",
    ]
    _, _, err = run("add", "--input", wrong, "--all-errors")
    assert err.count("\n") == 6000
    assert f"wrong.txt:6000: 'x' {NO_QUESTION}" in err


def test_add_splits_a_large_input_into_calls_and_reports_the_rate(run, server, tmp_path):
    questions, answers = tmp_path / "questions.txt", tmp_path / "answers.csv"
    questions.write_text("".join(f"{n % 1000}+1\n" for n in range(12_000)))
    code, out, err = run("add", "--input", questions, "--output", answers, "--format", "csv")
    assert (code, out) == (0, "")
    messages = r"seq2sum: 12,000 answered, in \d+\.\d s: [\d,]+ questions/s\n"
    assert re.fullmatch(messages, err)
    rows = answers.read_text().splitlines()[1:]
    assert rows == [f"{n % 1000}+1,{n % 1000 + 1},0.99,2," for n in range(12_000)]
    assert len(server.calls) == 3


def test_add_replaces_the_output_file_atomically(run, server, tmp_path):
    questions, answers = tmp_path / "questions.txt", tmp_path / "answers.txt"
    questions.write_text("1+1\n" * 10_000)
    answers.write_text("older\n")
    answers.chmod(0o640)
    link = tmp_path / "link.txt"
    link.symlink_to(answers.name)

    server.fail(grpc.StatusCode.INTERNAL, "broken\nhere")
    code, out, err = run("add", "--input", questions, "--output", link, "--max-in-flight", 1)
    assert (code, out) == (1, "")
    assert "broken here [INTERNAL from" in err.splitlines()[-1]
    assert answers.read_text() == "older\n"

    code, _, _ = run("add", "--input", questions, "--output", link)
    assert (code, link.is_symlink()) == (0, True)
    assert answers.read_text() == "1+1 = 2  (confidence 0.9900, version 2)\n" * 10_000
    assert answers.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "answers.txt", "link.txt", "questions.txt",
    ]  # fmt: skip


def test_add_output_may_replace_its_input(run, tmp_path):
    file = tmp_path / "questions.txt"
    file.write_text("1+1\n2+2")
    assert run("add", "--input", file, "--output", file, "--format", "jsonl") == (0, "", "")
    assert [json.loads(line)["answer"] for line in file.read_text().splitlines()] == ["2", "4"]


def test_failed_call_ends_add_after_the_previous_answers(run, server, tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text("1+1\n" * 4096 + "2+2\n" * 4096)
    server.fail(grpc.StatusCode.INTERNAL, "broken")
    code, out, err = run("add", "--input", questions, "--max-in-flight", 1)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1

    calls = iter([None, grpc.StatusCode.INTERNAL])
    with Failing(calls) as failing:
        code, out, err = run(
            "add", "--input", questions, "--max-in-flight", 1, target=failing.target
        )
    assert (code, out.count("\n")) == (1, 4096)
    assert err.splitlines()[0] == "seq2sum: stopped after 4,096 questions:"
    assert "made to fail [INTERNAL from" in err.splitlines()[1]


class Failing(FakeServer):
    """Fails calls with the given status codes; None for a call that succeeds."""

    def __init__(self, codes):
        super().__init__()
        self._codes = codes

    def _respond(self, method, request, context):
        if (code := next(self._codes, None)) is not None:
            self.fail(code)
        return super()._respond(method, request, context)


def test_line_buffered_add_continues_after_a_failed_call(run, tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text("1+1\n2+2\nx\n")
    for form, rows, messages in (("text", 1, 2), ("jsonl", 3, 1)):
        with Failing(iter([grpc.StatusCode.INTERNAL])) as failing:
            line = ("add", "--line-buffered", "--input", questions, "--format", form)
            code, out, err = run(*line, target=failing.target)
        assert (code, out.count("\n"), err.count("\n")) == (1, rows, messages)
        assert "made to fail" in (err if form == "text" else out)


def test_version_and_label_select_the_version(run, server):
    assert "version 1)" in run("add", "1+1", "--version", 1)[1]
    assert "version 1)" in run("explain", "1+1", "--label", "stable")[1]
    assert [(call.version, call.label) for call in server.calls] == [(1, None), (None, "stable")]
    assert run("status", "--label", "stable")[1] == "version 1  AVAILABLE\n"


def test_add_splits_calls_by_weights_or_by_a_file(run, tmp_path):
    assert "version 1)" in run("add", "1+1", "--split", "stable=1,2=0")[1]
    assert "version 2)" in run("add", "1+1", "--split", "stable=0,2=1")[1]
    traffic, questions = tmp_path / "traffic.json", tmp_path / "questions.txt"
    traffic.write_text('{"stable": 1, "2": 1}')
    questions.write_text("1+1\n" * 60)
    line = ("add", "--input", questions, "--line-buffered", "--format", "jsonl")
    code, out, _ = run(*line, "--split", traffic)
    assert code == 0
    assert {json.loads(row)["version"] for row in out.splitlines()} == {1, 2}


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
    assert "    out probabilities  float [any, 4, 12]\n" in out
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


def test_version_option_without_a_verb_is_the_packages(run, capsys):
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
        assert "is not signed by a trusted authority: see TLS.ca or --ca" in err
