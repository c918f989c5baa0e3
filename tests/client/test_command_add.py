"""`seq2sum add` on a fake server: order, refused lines, formats, output files, failed calls."""

from __future__ import annotations

import json
import re

import grpc
import pytest
from seq2sum.testing import FakeServer
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


def test_line_buffered_add_continues_after_a_failed_call(run, tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text("1+1\n2+2\nx\n")
    for form, rows, messages in (("text", 1, 2), ("jsonl", 3, 1)):
        with Failing(iter([grpc.StatusCode.INTERNAL])) as failing:
            line = ("add", "--line-buffered", "--input", questions, "--format", form)
            code, out, err = run(*line, target=failing.target)
        assert (code, out.count("\n"), err.count("\n")) == (1, rows, messages)
        assert "made to fail" in (err if form == "text" else out)


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
