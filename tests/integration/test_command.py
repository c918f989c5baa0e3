"""The `seq2sum` command as a user has it: what it prints, writes and ends with.

Most of it runs in this process, against a server of the client's own testing module. What
belongs to a process - pipes, signals, terminals, memory - is tested with one.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import time

import grpc
import pytest
import servers
from certificates import Certificates
from conftest import BIN
from seq2sum import _fake_replies
from seq2sum._command import main
from seq2sum._command.command_line import parser
from seq2sum._command.connection import connected
from seq2sum.testing import FakeServer

NO_QUESTION = "is not a question: write two numbers like '53+42'"


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
    """Runs the command in this process: its exit code, output and errors."""

    def run(*line, target=server.target):
        code = main([*map(str, line), "--target", target])
        return code, *capsys.readouterr()

    return run


class Instant(FakeServer):
    """Answers 7 to whatever it is asked, in no time: a short reply stands for all rows."""

    def respond(self, method, request, _):
        self.calls.append(method)
        self._stopped.wait(self.delay)
        reply = _fake_replies.answers("seq2sum", 1, ["7"], [0], 0.5)
        for tensor in reply.outputs.values():
            tensor.tensor_shape.dim[0].size = len(request.inputs["questions"].string_val)
        return reply


def start(*line, target, **how):
    """Starts the command, as if in the foreground: background jobs of a shell ignore Ctrl-C."""
    return subprocess.Popen(
        ["env", "--default-signal=INT,PIPE", BIN / "seq2sum", *map(str, line), "--target", target],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | how,
    )


def test_answers_come_in_order_and_a_bad_question_fails_no_other(run):
    code, out, err = run("add", "53+42", "x", "999+1")
    assert code == 1
    assert out == (
        "53+42 = 95  (confidence 0.9900, version 2)\n999+1 = 1000  (confidence 0.9900, version 2)\n"
    )
    assert err == f"seq2sum: 'x' {NO_QUESTION}\n"


def test_refused_lines_are_told_with_their_place(run, tmp_path):
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_bytes(b"\xef\xbb\xbf1+1\r\n\r\n2+2\n")
    second.write_bytes(b"\xff+1\n3+3\n\0\n1234+1")
    code, out, err = run("add", "--input", first, second)
    assert (code, re.findall(r"= (\d+)", out)) == (1, ["2", "4", "6"])
    told = [line.removeprefix(f"seq2sum: {tmp_path}/") for line in err.splitlines()]
    assert told[:3] == [
        f"a.txt:2: '' {NO_QUESTION}",
        f"b.txt:1: b'\\xff+1' {NO_QUESTION}",
        f"b.txt:3: '\\x00' {NO_QUESTION}",
    ]
    assert told[3].startswith("b.txt:4: '1234+1' is too long")
    assert len(told) == 4


def test_csv_and_json_have_a_row_for_each_line(run, tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_bytes(b"1+1\nx\n2+2")
    code, out, err = run("add", "--input", questions, "--format", "csv")
    assert code == 1
    assert out == (
        "question,answer,confidence,version,error\n"
        f"1+1,2,0.99,2,\nx,,,2,'x' {NO_QUESTION}\n2+2,4,0.99,2,\n"
    )
    assert err == "seq2sum: 2 answered, 1 refused: the field error says why\n"
    code, out, err = run("add", "--input", questions, "--format", "jsonl", "--quiet")
    objects = [json.loads(line) for line in out.splitlines()]
    assert [(each["question"], each["answer"]) for each in objects] == [
        ("1+1", "2"), ("x", None), ("2+2", "4"),
    ]  # fmt: skip
    assert (code, err) == (1, "")


def test_a_file_of_the_wrong_kind_does_not_flood_the_terminal(run, tmp_path):
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("x\n" * 6000)
    code, out, err = run("add", "--input", wrong)
    told = err.splitlines()
    assert (code, out, len(told)) == (1, "", 22)
    assert told[20:] == [
        "seq2sum: further refused questions are counted only; to see them all: --all-errors",
        "seq2sum: 0 answered, 6,000 refused: see above",
    ]
    _, _, err = run("add", "--input", wrong, "--all-errors")
    assert err.count("\n") == 6000
    assert f"wrong.txt:6000: 'x' {NO_QUESTION}" in err


def test_a_large_input_is_many_calls_and_tells_the_rate(run, server, tmp_path):
    questions, answers = tmp_path / "questions.txt", tmp_path / "answers.csv"
    questions.write_text("".join(f"{n % 1000}+1\n" for n in range(12_000)))
    code, out, err = run("add", "--input", questions, "--output", answers, "--format", "csv")
    assert (code, out) == (0, "")
    told = r"seq2sum: 12,000 answered, in \d+\.\d s: [\d,]+ questions/s\n"
    assert re.fullmatch(told, err)
    rows = answers.read_text().splitlines()[1:]
    assert rows == [f"{n % 1000}+1,{n % 1000 + 1},0.99,2," for n in range(12_000)]
    assert len(server.calls) == 3


def test_a_file_is_written_as_a_whole_or_not_at_all(run, server, tmp_path):
    questions, answers = tmp_path / "questions.txt", tmp_path / "answers.txt"
    questions.write_text("1+1\n" * 10_000)
    answers.write_text("older\n")
    answers.chmod(0o640)
    link = tmp_path / "link.txt"
    link.symlink_to(answers.name)

    server.fail(grpc.StatusCode.INTERNAL, "broken\nhere")
    code, out, err = run("add", "--input", questions, "--output", link, "--in-flight", 1)
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


def test_a_file_may_be_replaced_by_its_own_answers(run, tmp_path):
    file = tmp_path / "questions.txt"
    file.write_text("1+1\n2+2")
    assert run("add", "--input", file, "--output", file, "--format", "jsonl") == (0, "", "")
    assert [json.loads(line)["answer"] for line in file.read_text().splitlines()] == ["2", "4"]


def test_a_call_that_fails_ends_bulk_after_what_was_answered(run, server, tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text("1+1\n" * 4096 + "2+2\n" * 4096)
    server.fail(grpc.StatusCode.INTERNAL, "broken")
    code, out, err = run("add", "--input", questions, "--in-flight", 1)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1

    calls = iter([None, grpc.StatusCode.INTERNAL])
    with Failing(calls) as failing:
        code, out, err = run("add", "--input", questions, "--in-flight", 1, target=failing.target)
    assert (code, out.count("\n")) == (1, 4096)
    assert err.splitlines()[0] == "seq2sum: stopped after 4,096 questions, because of this:"
    assert "made to fail [INTERNAL from" in err.splitlines()[1]


class Failing(FakeServer):
    """Fails the calls that its list says."""

    def __init__(self, codes):
        super().__init__()
        self._codes = codes

    def respond(self, method, request, context):
        if (code := next(self._codes, None)) is not None:
            self.fail(code)
        return super().respond(method, request, context)


def test_line_by_line_a_call_that_fails_costs_no_other_question(run, tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text("1+1\n2+2\nx\n")
    for form, rows, told in (("text", 1, 2), ("jsonl", 3, 1)):
        with Failing(iter([grpc.StatusCode.INTERNAL])) as failing:
            line = ("add", "--line-buffered", "--input", questions, "--format", form)
            code, out, err = run(*line, target=failing.target)
        assert (code, out.count("\n"), err.count("\n")) == (1, rows, told)
        assert "made to fail" in (err if form == "text" else out)


def test_the_version_and_the_label_are_asked_for(run, server):
    assert "version 1)" in run("add", "1+1", "--version", 1)[1]
    assert "version 1)" in run("explain", "1+1", "--label", "stable")[1]
    assert [(call.version, call.label) for call in server.calls] == [(1, None), (None, "stable")]
    assert run("status", "--label", "stable")[1] == "version 1  AVAILABLE\n"


def test_the_versions_are_shown_newest_first(run, server):
    assert run("status") == (0, "version 2  AVAILABLE\nversion 1  AVAILABLE\n", "")
    code, out, _ = run("status", "--json", "--wait", 5)
    states = [
        {"version": 2, "state": "AVAILABLE", "error": ""},
        {"version": 1, "state": "AVAILABLE", "error": ""},
    ]
    assert code == 0
    assert json.loads(out) == {"target": server.target, "model": "seq2sum", "versions": states}


def test_no_version_at_all_is_a_failure(run):
    with FakeServer(versions=()) as empty:
        assert run("status", target=empty.target)[:2] == (1, "")
        code, out, err = run("status", "--wait", 0.2, target=empty.target)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "last heard: Could not find any versions" in err
    assert err.endswith("; give it longer with --wait\n")


def test_an_explanation_is_drawn(run, monkeypatch):
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


def test_an_explanation_for_a_program_has_the_whole_alphabet(run):
    code, out, _ = run("explain", "5+5", "--json")
    found = json.loads(out)
    assert (code, found["answer"], found["version"], len(found["places"])) == (0, "10", 2, 4)
    assert found["confidence"] == pytest.approx(0.99)
    assert [len(place) for place in found["places"]] == [12] * 4
    assert found["places"][0][0] == {
        "character": "1",
        "probability": pytest.approx(0.9975, abs=1e-4),
    }


def test_a_description_tells_digits_and_signatures(run):
    code, out, _ = run("describe")
    assert (code, out.splitlines()[:2]) == (
        0,
        ["seq2sum, version 2", "  3   digits of an operand at most"],
    )
    assert "    out probabilities  float [any, 4, 12]\n" in out
    code, out, _ = run("describe", "--json")
    found = json.loads(out)
    assert (code, found["digits"], found["lacks"]) == (0, 3, [])
    assert found["signatures"]["serving_default"]["inputs"] == {
        "questions": {"dtype": "DT_STRING", "shape": [-1]}
    }


def test_a_model_that_lacks_something_is_told(run, monkeypatch):
    described = _fake_replies.contract.describe

    def lacking(**sizes):
        whole = described(**sizes)
        del whole["signatures"]["one_hot"]
        return whole

    monkeypatch.setattr(_fake_replies.contract, "describe", lacking)
    code, out, err = run("describe")
    assert (code, "signature one_hot" in out) == (1, False)
    assert err == "seq2sum: it is no seq2sum model: it lacks signature one_hot\n"


def test_watching_goes_on_when_something_fails(run):
    with Failing(iter([None, None, grpc.StatusCode.INTERNAL])) as failing:
        line = ("watch", "--count", 3, "--interval", 0, "--probe", "1+2")
        code, out, err = run(*line, target=failing.target)
    first, second, third = out.splitlines()
    assert (code, err) == (1, "")
    assert "  1+2 = 3  (confidence 0.9900, version 1); latency " in first
    assert "  made to fail [INTERNAL from" in second
    assert "; version 1  AVAILABLE" in third
    assert run("watch", "--count", 1)[0] == 0


def test_mistakes_are_told_in_one_line(run, tmp_path):
    nobody = f"127.0.0.1:{servers.free_port()}"
    token = tmp_path / "token"
    token.write_text("two words")
    for line, said, code in [
        (("add", "1+1", "--model", "nope"), "; name the model that it serves with --model", 1),
        (("add", "1+1", "--version", 9), "; see which versions it has: seq2sum status", 1),
        (("add", "1+1", "--label", "nope"), "label nope]; see which versions", 1),
        (("add", "1+1", "--input", tmp_path), "as arguments or from --input, and not both", 2),
        (("add", "--input", tmp_path / "nope"), "nope: No such file or directory", 2),
        (("add", "--input", tmp_path), "it is a directory", 2),
        (("add", "1+1", "--output", tmp_path), "it is a directory", 2),
        (("add", "1+1", "--output", tmp_path / "no" / "file"), "No such file or directory", 2),
        (("add", "1+1", "--output", "/dev/full"), "cannot write /dev/full: No space left", 1),
        (("add", "1+1", "--ca", tmp_path / "nope"), "nope: No such file or directory", 2),
        (("add", "1+1", "--ca", token), "is not a PEM file", 2),
        (("add", "1+1", "--cert", token), "give both --cert and --key", 2),
        (("add", "1+1", "--token-file", tmp_path / "nope"), "cannot read --token-file", 2),
        (("add", "1+1", "--token-file", token), "it should be one word", 2),
        (("status",), f"is a server running at {nobody}? Start one", 1),
        (("status",), "'a:1' is not IP:port", 2),
    ]:
        where = {"Start one": nobody, "a:1": "a:1,b:2"}
        target = next(({"target": at} for word, at in where.items() if word in said), {})
        found, _, err = run(*line, **target)
        assert (said in err, found, err.count("\n")) == (True, code, 1), err


def test_a_token_needs_encryption_and_is_sent_with_it(run, tmp_path, monkeypatch):
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
        assert "check --tls, --ca and --server-name" in err


def test_standard_input_is_read_and_standard_error_is_the_commands_alone(server):
    line = [BIN / "seq2sum", "add", "--target", server.target]
    done = subprocess.run(line, input=b"1+1\n\xff\n2+2", capture_output=True, check=False)
    assert done.stdout.count(b"version 2") == 2
    assert done.stderr == f"seq2sum: standard input:2: b'\\xff' {NO_QUESTION}\n".encode()
    # gRPC would write lines of its own about a server that speaks no TLS.
    done = subprocess.run([*line, "--tls"], input=b"1+1", capture_output=True, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"check --tls" in done.stderr


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text("1+1\n" * 50_000)
    with Instant() as server:
        process = start("add", "--input", questions, target=server.target)
        assert process.stdout.readline() == "1+1 = 7  (confidence 0.5000, version 1)\n"
        process.stdout.close()
        assert process.wait(timeout=20) == 128 + signal.SIGPIPE
    assert process.stderr.read() == ""
    process.stderr.close()


def test_what_cannot_be_printed_is_told(server):
    for sent_to, said, code in (
        (">/dev/full", "cannot write to standard output: No space left on device", 1),
        (">&-", "standard output is closed", 2),
    ):
        done = subprocess.run(
            f'"$0" status --target {server.target} {sent_to}'.replace("$0", f"{BIN}/seq2sum"),
            shell=True, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (code, f"seq2sum: {said}\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing_half_written(tmp_path, number):
    questions = tmp_path / "questions.txt"
    questions.write_text("1+1\n" * 50_000)
    with Instant(delay=0.3) as slow:
        line = ("add", "--input", questions, "--output", tmp_path / "answers.txt", "--in-flight", 1)
        process = start(*line, target=slow.target)
        wait_for(lambda: len(slow.calls) > 1)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (128 + number, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["questions.txt"]


def test_an_interrupt_does_not_wait_for_the_channel(server):
    # It may have come while gRPC began a call: to close would wait for that call for ever.
    options = parser().parse_args(["status", "--target", server.target])
    context = connected(options)
    client = context.__enter__()
    assert client.versions()
    assert not context.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert client.versions()
    client.close()


def test_a_watch_is_ended_by_an_interrupt_and_that_is_no_failure(server):
    process = start("watch", "--interval", "0.01", target=server.target)
    first = process.stdout.readline()
    assert "53+42 = 95" in first
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")


def test_line_buffered_each_line_is_answered_before_the_next_comes(server):
    process = start("add", "--line-buffered", target=server.target, stdin=subprocess.PIPE)
    for question, answer in (("1+1", "2"), ("2+2", "4")):
        process.stdin.write(f"{question}\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(f"{question} = {answer}")
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


def test_at_a_terminal_it_is_a_conversation(server):
    ours, theirs = pty.openpty()
    process = start("add", target=server.target, stdin=theirs)
    os.close(theirs)
    assert process.stderr.readline() == "write questions like 53+42, one a line; Ctrl-D ends\n"
    os.write(ours, b"1+1\n")
    assert process.stdout.readline().startswith("1+1 = 2")
    os.write(ours, b"x\n")
    assert process.stderr.readline() == f"seq2sum: 'x' {NO_QUESTION}\n"
    os.write(ours, b"\x04")
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 1
    os.close(ours)


def test_a_long_run_shows_its_progress_at_a_terminal(tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text("1+1\n" * 4096 * 14)
    with Instant(delay=0.1) as slow:
        line = ("add", "--input", questions, "--output", os.devnull, "--in-flight", 1)
        code, shown = at_a_terminal(*line, target=slow.target)
    assert code == 0
    assert re.search(r"\r\x1b\[K[\d,]+ answered, [\d,]+/s, \d+%, \d+ s left", shown)
    last = shown.split("\r\x1b[K")[-1]
    assert re.fullmatch(r"seq2sum: 57,344 answered, in \d+\.\d s: [\d,]+ questions/s\r\n", last)


def test_a_terminal_gets_a_live_view(server):
    code, shown = at_a_terminal("watch", "--count", 2, "--interval", 0, target=server.target)
    assert code == 0
    first, second = shown.split("\x1b[9F\x1b[J")
    assert first.startswith("\x1b[?25l\x1b[J\x1b[1mseq2sum at")
    assert "\x1b[32m  version 2  AVAILABLE\x1b[0m\r\n" in first
    assert "  looks    2, 0 failed\r\n" in second
    assert second.endswith("\x1b[?25h")


def at_a_terminal(*line, target):
    """Runs it with a terminal for what it shows; gives back the exit code and all of that."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    quiet = "--output" in line  # where the answers go elsewhere, standard output does too
    out = subprocess.DEVNULL if quiet else theirs
    process = start(*line, target=target, stdout=out, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    return process.wait(timeout=20), shown.decode()


MEASURED = """
import resource, sys
from seq2sum._command import main
from seq2sum._command.command_line import parser
from seq2sum._command.connection import connected
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def test_a_million_lines_run_in_bounded_memory_and_quickly(tmp_path):
    questions, answers = tmp_path / "questions.txt", tmp_path / "answers.csv"
    peaks, seconds = [], []
    with Instant() as server:
        for count in (300_000, 1_000_000):
            questions.write_bytes(b"123+456\n" * count)
            line = ("add", "--input", questions, "--output", answers, "--format", "csv")
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(
                [sys.executable, "-c", MEASURED, *line, "--target", server.target],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            assert f"seq2sum: {count:,} answered" in done.stderr
            assert answers.read_bytes().endswith(b"123+456,7,0.5,1,\n")
            peaks.append(int(done.stderr.split()[-1]))
            seconds.append(after.ru_utime - before.ru_utime)
    # In kB. The lines alone, were they kept, would be 40 MB of Python's strings more.
    assert peaks[1] - peaks[0] < 20_000, peaks
    # At least 150,000 lines a CPU-second, on any machine: several times as many are usual.
    assert 700_000 / (seconds[1] - seconds[0]) > 150_000, seconds


def test_the_client_does_not_load_the_command():
    check = (
        "import seq2sum, sys; sys.exit(any(m.startswith('seq2sum._command') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
