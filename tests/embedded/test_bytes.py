"""Bytes on every way through the client: what went in comes out, byte for byte.

Questions go to a server and come back from its record; answers go from it to the caller.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import subprocess
import sys

import pytest
import seq2sum
from hypothesis import example, given, settings
from hypothesis import strategies as st
from seq2sum import _tensors
from seq2sum._command import main
from seq2sum.protocol import tensor_pb2
from seq2sum.testing import FakeServer

MEGABYTE = bytes(range(256)) * 4096
ANY = st.binary(max_size=12) | st.builds(
    lambda middle: b"\0" + middle + b"\0", st.binary(max_size=6)
)
"""Bytes with a preference for NULs at both ends, which some types of numpy drop."""
SEQUENCES = st.lists(ANY, min_size=1, max_size=6)
ODD = [b"", b"\0", b"a\0", b"\0a", b"\n", b"\r\n", b"\xff", b"\xc3", b"\xed\xb3\xbf",
       b"\xef\xbb\xbf1", "é٣".encode(), b"\\xff", b'","', MEGABYTE]  # fmt: skip
"""Nothing, NULs, line ends, no UTF-8, half of a character, a surrogate, a byte order mark."""


class Echo(FakeServer):
    """Answers `0+N` with the Nth of its answers."""

    def __init__(self):
        super().__init__(digits=9, answer=lambda *asked: self.answers[asked[-1]])
        self.answers = []


@pytest.fixture(scope="module")
def server():
    with Echo() as server:
        yield server


@pytest.fixture(scope="module")
def clients(server):
    """Ways to ask many questions, by name, and a client."""
    with seq2sum.Client(server.target) as client:

        def coalesced(questions):
            async def ask():
                how = {"coalescing": seq2sum.Coalescing()}
                async with seq2sum.AsyncClient(server.target, **how) as client:
                    return await asyncio.gather(*map(client.add, questions))

            return asyncio.run(ask())

        def streamed(questions):
            return seq2sum.Columns.concat(client.stream_columns(questions, rows=2))

        yield {
            "bulk": client.add_columns, "stream": streamed, "coalesced": coalesced,
            "itself": client,
        }  # fmt: skip


def raw(answer):
    return answer.text.encode(errors="surrogateescape")


@settings(deadline=None, derandomize=True, max_examples=60)
@example(questions=ODD)
@given(questions=SEQUENCES)
@pytest.mark.parametrize("way", ["bulk", "stream"])
def test_questions_arrive_as_they_were_asked(server, clients, way, questions):
    server.calls.clear()
    found = clients[way](questions)
    assert sorted(each for call in server.calls for each in call.questions) == sorted(questions)
    assert list(found.questions) == questions
    assert [answer.question for answer in found] == questions


@settings(deadline=None, derandomize=True, max_examples=60)
@example(question=b"\0\xff\0")
@example(question=MEGABYTE)
@given(question=ANY)
@pytest.mark.parametrize("method", ["add", "explain"])
def test_so_does_a_single_one(server, clients, method, question):
    server.calls.clear()
    with pytest.raises(seq2sum.InvalidQuestion):
        getattr(clients["itself"], method)(question)
    assert [call.questions for call in server.calls] == [(question,)]


@settings(deadline=None, derandomize=True, max_examples=60)
@example(answers=ODD)
@given(answers=SEQUENCES)
@pytest.mark.parametrize("way", ["bulk", "stream", "coalesced"])
def test_answers_arrive_as_they_were_given(server, clients, way, answers):
    server.answers = answers
    found = clients[way]([f"0+{number}" for number in range(len(answers))])
    assert list(map(raw, found)) == answers
    if isinstance(found, seq2sum.Columns):
        assert list(found.texts) == answers
        assert found.values == [answer.value for answer in found]


@pytest.mark.parametrize("text", ["٣", "²", "1_0", " 1", "+1", "", "1\n"])
def test_only_ascii_digits_are_a_number(text):
    assert seq2sum.Answer("1+1", text, 1.0, 1).value is None
    assert seq2sum.Columns(["1+1"], [text.encode()], [1.0], [0], [1]).values == [None]


def test_an_answer_of_more_digits_than_python_reads_is_no_number(server, clients):
    server.answers = [b"9" * 5000, b"7"]
    found = clients["bulk"](["0+0", "0+1"])
    assert found.values == [None, 7]
    long, _ = found
    assert (long.value, len(long.text)) == (None, 5000)
    assert repr(long).startswith("Answer(question='0+0', text='999")


@settings(deadline=None, derandomize=True, max_examples=60)
@example(values=ODD)
@given(values=st.lists(ANY, max_size=6))
def test_tensors_keep_every_byte(values):
    tensor = tensor_pb2.TensorProto()
    _tensors.fill_with_strings(tensor, values)
    travelled = tensor_pb2.TensorProto.FromString(tensor.SerializeToString())
    assert _tensors.strings(travelled, name="x", shape=(len(values),)) == values


LINES = st.lists(ANY.filter(lambda line: b"\n" not in line), min_size=1, max_size=6)


@settings(deadline=None, derandomize=True, max_examples=60)
@example(lines=[line for line in ODD if b"\n" not in line])
@given(lines=LINES)
@pytest.mark.parametrize("buffered", [True, False], ids=["blocks", "lines"])
def test_lines_of_a_file_are_asked_as_they_stand_there(server, tmp_path_factory, buffered, lines):
    file, out = (tmp_path_factory.getbasetemp() / name for name in ("lines.txt", "out.jsonl"))
    file.write_bytes(b"".join(line + b"\r\n" for line in [b"first", *lines]))
    server.calls.clear()
    line = ["add", "--target", server.target, "--input", file, "--output", out, "--format", "jsonl"]
    assert main([*map(str, line), "--quiet", *([] if buffered else ["--line-buffered"])]) == 1
    assert [each for call in server.calls for each in call.questions][1:] == lines
    written = out.read_bytes().splitlines()
    assert out.read_bytes().isascii()
    assert [json.loads(row)["question"] for row in written][1:] == list(map(escaped, lines))


@settings(deadline=None, derandomize=True, max_examples=60)
@example(answers=[answer for answer in ODD if answer != MEGABYTE])
@given(answers=SEQUENCES)
@pytest.mark.parametrize("form", ["jsonl", "csv", "text"])
def test_answers_are_written_with_every_byte(server, tmp_path_factory, form, answers):
    server.answers = answers
    out = tmp_path_factory.getbasetemp() / f"out.{form}"
    questions = [f"0+{number}" for number in range(len(answers))]
    line = ["add", "--target", server.target, "--output", str(out), "--format", form, *questions]
    assert main(line) == 0
    text = out.read_bytes().decode()
    wanted = list(map(escaped, answers))
    if form == "jsonl":
        assert [json.loads(row)["answer"] for row in text.splitlines()] == wanted
    elif form == "csv":
        rows = csv.reader(io.StringIO(text, newline=""))
        assert [row[1] for row in rows][1:] == wanted
    else:
        assert text.count("\n") == len(answers)


def escaped(raw):
    return raw.decode(errors="backslashreplace")


def test_a_terminal_of_another_encoding_gets_escapes(server):

    server.answers = ["é".encode()]
    done = subprocess.run(
        [sys.executable, "-m", "seq2sum._command", "watch", "--count", "1", "--probe", "0+0",
         "--target", server.target],
        capture_output=True, check=False, timeout=60,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"0+0 = \xe9  (confidence" in done.stdout
