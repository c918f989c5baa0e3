"""The `seq2sum` command as a process: pipes, signals, terminals, memory."""

from __future__ import annotations

import os
import pty
import re
import resource
import signal
import subprocess
import sys

import pytest
from seq2sum._command.command_line import parser
from seq2sum._command.connection import connected
from seq2sum.testing import FakeServer
from support.paths import BIN
from support.shell import NO_QUESTION, Instant, at_a_terminal, start, wait_for

LONGEST = 90
"""Seconds that a command may take to end; it takes one or two where nothing else runs."""


@pytest.fixture(scope="module")
def server():
    with FakeServer(versions=(1, 2), labels={"stable": 1}) as server:
        yield server


def test_standard_input_is_read_and_standard_error_is_the_commands_alone(server):
    line = [BIN / "seq2sum", "add", "--target", server.target]
    done = subprocess.run(line, input=b"1+1\n\xff\n2+2", capture_output=True, check=False)
    assert done.stdout.count(b"version 2") == 2
    assert done.stderr == f"seq2sum: standard input:2: b'\\xff' {NO_QUESTION}\n".encode()
    # gRPC would write lines of its own about a server that speaks no TLS.
    done = subprocess.run([*line, "--tls"], input=b"1+1", capture_output=True, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"the server does not speak TLS" in done.stderr


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text("1+1\n" * 50_000)
    with Instant() as server:
        process = start("add", "--input", questions, target=server.target)
        assert process.stdout.readline() == "1+1 = 7  (confidence 0.5000, version 1)\n"
        process.stdout.close()
        assert process.wait(timeout=LONGEST) == 128 + signal.SIGPIPE
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
        out, err = process.communicate(timeout=LONGEST)
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
    _, err = process.communicate(timeout=LONGEST)
    assert (process.returncode, err) == (0, "")


def test_line_buffered_each_line_is_answered_before_the_next_comes(server):
    process = start("add", "--line-buffered", target=server.target, stdin=subprocess.PIPE)
    for question, answer in (("1+1", "2"), ("2+2", "4")):
        process.stdin.write(f"{question}\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith(f"{question} = {answer}")
    assert process.communicate(timeout=LONGEST) == ("", "")
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
    assert process.communicate(timeout=LONGEST) == ("", "")
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
