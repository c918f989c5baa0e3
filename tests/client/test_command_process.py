"""The `seq2sum` command as a process: pipes, signals, terminals, memory."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest
from seq2sum._command.command_line import parser
from seq2sum._command.connection import connect
from seq2sum.addition.client import Client
from seq2sum.testing import FakeServer
from support.fake_models import any_model_server
from support.paths import BIN
from support.shell import NO_QUESTION, Instant, at_a_terminal, start, wait_for

pytestmark = [pytest.mark.server, pytest.mark.end_to_end]

TIMEOUT_SECONDS = 90
"""Limit for a command to end; on an idle machine it takes one or two seconds."""


@pytest.fixture(scope="module")
def server():
    with FakeServer(versions=(1, 2), labels={"stable": 1}) as server:
        yield server


def test_standard_error_has_no_output_of_grpc(server):
    line = [BIN / "seq2sum", "add", "--target", server.target]
    done = subprocess.run(line, input=b"1+1\n\xff\n2+2", capture_output=True, check=False)
    assert done.stdout.count(b"version 2") == 2
    assert done.stderr == f"seq2sum: standard input:2: b'\\xff' {NO_QUESTION}\n".encode()
    # gRPC logs its own lines about a server without TLS.
    done = subprocess.run([*line, "--tls"], input=b"1+1", capture_output=True, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"the server does not speak TLS" in done.stderr


def test_closed_pipe_ends_the_command_silently(tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text("1+1\n" * 50_000)
    with Instant() as server:
        process = start("add", "--input", questions, target=server.target)
        assert process.stdout.readline() == "1+1 = 7  (confidence 0.5000, version 1)\n"
        process.stdout.close()
        assert process.wait(timeout=TIMEOUT_SECONDS) == 128 + signal.SIGPIPE
    assert process.stderr.read() == ""
    process.stderr.close()


def test_unusable_standard_output_is_reported(server):
    for redirection, message, code in (
        (">/dev/full", "cannot write to standard output: No space left on device", 1),
        (">&-", "standard output is closed", 2),
    ):
        done = subprocess.run(
            f'"$0" status --target {server.target} {redirection}'.replace("$0", f"{BIN}/seq2sum"),
            shell=True, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (code, f"seq2sum: {message}\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_add_leaves_no_output_file(tmp_path, number):
    questions = tmp_path / "questions.txt"
    questions.write_text("1+1\n" * 50_000)
    with Instant(delay=0.3) as slow:
        line = (
            "add",
            "--input",
            questions,
            "--output",
            tmp_path / "answers.txt",
            "--max-in-flight",
            1,
        )
        process = start(*line, target=slow.target)
        wait_for(lambda: len(slow.calls) > 1)
        process.send_signal(number)
        out, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, out, err) == (128 + number, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["questions.txt"]


@pytest.mark.parametrize("command", [True, False])
def test_interrupt_during_imports_is_silent_in_the_command_but_not_in_other_programs(command):
    code = (
        "import os, signal, sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'grpc': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        f"sys.argv = ['/usr/bin/{'seq2sum' if command else 'app'}', 'status']\n"
        "from seq2sum._command import main"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode == 128 + signal.SIGINT, done.stderr == b"") == (command, command)
    assert command or b"KeyboardInterrupt" in done.stderr


def test_interrupt_does_not_close_the_channel(server):
    # If it arrived while gRPC was starting a call, closing would wait for that call forever.
    options = parser().parse_args(["status", "--target", server.target])
    context = connect(options, Client)
    client = context.__enter__()
    assert client.versions()
    assert not context.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert client.versions()
    client.close()


def test_interrupted_watch_exits_with_0(server):
    process = start("watch", "--interval", "0.01", target=server.target)
    first = process.stdout.readline()
    assert "53+42 = 95" in first
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=TIMEOUT_SECONDS)
    assert (process.returncode, err) == (0, "")


def test_line_buffered_add_answers_each_line_at_once(server):
    process = start("add", "--line-buffered", target=server.target, stdin=subprocess.PIPE)
    for question, answer in (("1+1", "2"), ("2+2", "4")):
        process.stdin.write(f"{question}\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(f"{question} = {answer}")
    assert process.communicate(timeout=TIMEOUT_SECONDS) == ("", "")
    assert process.returncode == 0


def test_add_on_a_terminal_is_interactive(server):
    ours, theirs = pty.openpty()
    process = start("add", target=server.target, stdin=theirs)
    os.close(theirs)
    assert process.stderr.readline() == "type questions like 53+42, one per line; end with Ctrl-D\n"
    os.write(ours, b"1+1\n")
    assert process.stdout.readline().startswith("1+1 = 2")
    os.write(ours, b"x\n")
    assert process.stderr.readline() == f"seq2sum: 'x' {NO_QUESTION}\n"
    os.write(ours, b"\x04")
    assert process.communicate(timeout=TIMEOUT_SECONDS) == ("", "")
    assert process.returncode == 1
    os.close(ours)


def test_long_add_shows_progress_on_a_terminal(tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text("1+1\n" * 4096 * 14)
    with Instant(delay=0.1) as slow:
        line = ("add", "--input", questions, "--output", os.devnull, "--max-in-flight", 1)
        code, screen = at_a_terminal(*line, target=slow.target)
    assert code == 0
    assert re.search(r"\r\x1b\[K[\d,]+ answered, [\d,]+/s, \d+%, \d+ s left", screen)
    last = screen.split("\r\x1b[K")[-1]
    assert re.fullmatch(r"seq2sum: 57,344 answered, in \d+\.\d s: [\d,]+ questions/s\r\n", last)


def test_watch_on_a_terminal_is_a_live_view(server):
    code, screen = at_a_terminal("watch", "--count", 2, "--interval", 0, target=server.target)
    assert code == 0
    first, second = screen.split("\x1b[9F\x1b[J")
    assert first.startswith("\x1b[?25l\x1b[J\x1b[1mseq2sum at")
    assert "\x1b[32m  version 2  AVAILABLE\x1b[0m\r\n" in first
    assert "  polls    2, 0 failed\r\n" in second
    assert second.endswith("\x1b[?25h")


RUN_AND_PRINT_PEAK_MEMORY = """
import resource, sys
from seq2sum._command import main
code = main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(code)
"""


def test_add_of_a_million_lines_needs_bounded_memory(tmp_path):
    questions, answers = tmp_path / "questions.txt", tmp_path / "answers.csv"
    peaks = []
    with Instant() as server:
        for count in (300_000, 1_000_000):
            questions.write_bytes(b"123+456\n" * count)
            line = ("add", "--input", questions, "--output", answers, "--format", "csv")
            done = subprocess.run(
                [sys.executable, "-c", RUN_AND_PRINT_PEAK_MEMORY, *line, "--target", server.target],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert f"seq2sum: {count:,} answered" in done.stderr
            assert answers.read_bytes().endswith(b"123+456,7,0.5,1,\n")
            peaks.append(int(done.stderr.split()[-1]))
    # In kB. If the lines were kept, they would take 40 MB more.
    assert peaks[1] - peaks[0] < 20_000, peaks


def test_client_does_not_import_the_command():
    check = (
        "import seq2sum, sys; sys.exit(any(m.startswith('seq2sum._command') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.fixture
def rows(tmp_path):
    """A file of rows, and the target of a slow server whose model accepts them."""
    path = tmp_path / "rows.jsonl"
    path.write_text('"abc"\n' * 50_000)
    with any_model_server() as server:
        server.before_reply = lambda call: call.method == "Predict" and time.sleep(0.02)
        yield path, server.target


def test_predict_ends_silently_if_its_pipe_is_closed(rows):
    path, target = rows
    process = start("predict", "--model", "any", "--input", path, target=target)
    assert process.stdout.readline() == '{"score": 3.0}\n'
    process.stdout.close()
    assert process.wait(timeout=TIMEOUT_SECONDS) == 128 + signal.SIGPIPE
    assert process.stderr.read() == ""
    process.stderr.close()


def test_interrupted_predict_leaves_no_output_file(rows):
    path, target = rows
    output = path.with_name("out.jsonl")
    line = ("predict", "--model", "any", "--input", path, "--output", output)
    process = start(*line, "--batch-size", 10, target=target)
    wait_for(lambda: list(path.parent.glob(".out.jsonl.*.part")))
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == 128 + signal.SIGINT
    assert [each.name for each in path.parent.iterdir()] == ["rows.jsonl"]


def test_predict_at_a_terminal_shows_progress_and_counts(rows, tmp_path):
    path, target = rows
    line = ("predict", "--model", "any", "--input", path, "--output", tmp_path / "out.jsonl")
    code, shown = at_a_terminal(*line, target=target)
    assert code == 0
    assert re.search(r"\r\x1b\[K[\d,]+ answered, [\d,]+/s, \d+%, ", shown)
    assert re.search(r"seq2sum: 50,000 answered, in \d+\.\d s: [\d,]+ rows/s\r\n$", shown)


def test_predict_reads_and_writes_pipes_line_by_line(rows):
    options = ("--model", "any", "--line-buffered")
    process = start("predict", *options, target=rows[1], stdin=subprocess.PIPE)
    for text, score in (("a", 1.0), ("abc", 3.0)):
        process.stdin.write(f'{{"text": "{text}"}}\n')
        process.stdin.flush()
        assert process.stdout.readline() == f'{{"score": {score}}}\n'
    assert process.communicate(timeout=TIMEOUT_SECONDS) == ("", "")
    assert process.returncode == 0
