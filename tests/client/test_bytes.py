"""Arbitrary bytes in questions and answers: every call of the client keeps them unchanged."""

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
"""Bytes, often with NULs at both ends, which some numpy dtypes drop."""
SEQUENCES = st.lists(ANY, min_size=1, max_size=6)
UNUSUAL = [b"", b"\0", b"a\0", b"\0a", b"\n", b"\r\n", b"\xff", b"\xc3", b"\xed\xb3\xbf",
           b"\xef\xbb\xbf1", "é٣".encode(), b"\\xff", b'","', MEGABYTE]  # fmt: skip
"""Empty, NULs, line ends, invalid UTF-8, half a character, a surrogate, a byte order mark, ..."""


class Echo(FakeServer):
    """Replies to `0+N` with `answers[N]`."""

    def __init__(self):
        super().__init__(digits=9, answer=lambda *numbers: self.answers[numbers[-1]])
        self.answers = []


@pytest.fixture(scope="module")
def server():
    with Echo() as server:
        yield server


@pytest.fixture(scope="module")
def clients(server):
    """Functions that send many questions, by name; and `client`."""
    with seq2sum.Client(server.target) as client:

        def coalesced(questions):
            async def ask():
                options = {"coalescing": seq2sum.Coalescing()}
                async with seq2sum.AsyncClient(server.target, **options) as client:
                    return await asyncio.gather(*map(client.add, questions))

            return asyncio.run(ask())

        def streamed(questions):
            return seq2sum.Columns.concat(client.stream_columns(questions, batch_size=2))

        yield {
            "bulk": client.add_columns, "stream": streamed, "coalesced": coalesced,
            "client": client,
        }  # fmt: skip


def raw(answer):
    return answer.text.encode(errors="surrogateescape")


@settings(deadline=None, derandomize=True, max_examples=60)
@example(questions=UNUSUAL)
@given(questions=SEQUENCES)
@pytest.mark.parametrize("call", ["bulk", "stream"])
def test_many_questions_keep_every_byte(server, clients, call, questions):
    server.calls.clear()
    columns = clients[call](questions)
    assert sorted(question for rpc in server.calls for question in rpc.questions) == sorted(
        questions
    )
    assert list(columns.questions) == questions
    assert [answer.question for answer in columns] == questions


@settings(deadline=None, derandomize=True, max_examples=60)
@example(question=b"\0\xff\0")
@example(question=MEGABYTE)
@given(question=ANY)
@pytest.mark.parametrize("method", ["add", "explain"])
def test_a_single_question_keeps_every_byte(server, clients, method, question):
    server.calls.clear()
    with pytest.raises(seq2sum.InvalidQuestion):
        getattr(clients["client"], method)(question)
    assert [call.questions for call in server.calls] == [(question,)]


@settings(deadline=None, derandomize=True, max_examples=60)
@example(answers=UNUSUAL)
@given(answers=SEQUENCES)
@pytest.mark.parametrize("call", ["bulk", "stream", "coalesced"])
def test_answers_keep_every_byte(server, clients, call, answers):
    server.answers = answers
    replies = clients[call]([f"0+{number}" for number in range(len(answers))])
    assert list(map(raw, replies)) == answers
    if isinstance(replies, seq2sum.Columns):
        assert list(replies.texts) == answers
        assert replies.values == [answer.value for answer in replies]


@pytest.mark.parametrize("text", ["٣", "²", "1_0", " 1", "+1", "", "1\n"])
def test_only_ascii_digits_have_a_value(text):
    assert seq2sum.Answer("1+1", text, 1.0, 1).value is None
    assert seq2sum.Columns(["1+1"], [text.encode()], [1.0], [0], [1]).values == [None]


def test_an_answer_of_more_digits_than_python_converts_has_no_value(server, clients):
    server.answers = [b"9" * 5000, b"7"]
    columns = clients["bulk"](["0+0", "0+1"])
    assert columns.values == [None, 7]
    long, _ = columns
    assert (long.value, len(long.text)) == (None, 5000)
    assert repr(long).startswith("Answer(question='0+0', text='999")


@settings(deadline=None, derandomize=True, max_examples=60)
@example(values=UNUSUAL)
@given(values=st.lists(ANY, max_size=6))
def test_tensors_keep_every_byte(values):
    tensor = tensor_pb2.TensorProto()
    _tensors.fill_with_strings(tensor, values)
    parsed = tensor_pb2.TensorProto.FromString(tensor.SerializeToString())
    assert _tensors.strings(parsed, name="x", shape=(len(values),)) == values


LINES = st.lists(ANY.filter(lambda line: b"\n" not in line), min_size=1, max_size=6)


@settings(deadline=None, derandomize=True, max_examples=60)
@example(lines=[line for line in UNUSUAL if b"\n" not in line])
@given(lines=LINES)
@pytest.mark.parametrize("buffered", [True, False], ids=["blocks", "lines"])
def test_lines_of_an_input_file_keep_every_byte(server, tmp_path_factory, buffered, lines):
    file, out = (tmp_path_factory.getbasetemp() / name for name in ("lines.txt", "out.jsonl"))
    file.write_bytes(b"".join(line + b"\r\n" for line in [b"first", *lines]))
    server.calls.clear()
    line = ["add", "--target", server.target, "--input", file, "--output", out, "--format", "jsonl"]
    assert main([*map(str, line), "--quiet", *([] if buffered else ["--line-buffered"])]) == 1
    assert [question for rpc in server.calls for question in rpc.questions][1:] == lines
    written = out.read_bytes().splitlines()
    assert out.read_bytes().isascii()
    assert [json.loads(row)["question"] for row in written][1:] == list(map(escaped, lines))


@settings(deadline=None, derandomize=True, max_examples=60)
@example(answers=[answer for answer in UNUSUAL if answer != MEGABYTE])
@given(answers=SEQUENCES)
@pytest.mark.parametrize("form", ["jsonl", "csv", "text"])
def test_written_answers_keep_every_byte(server, tmp_path_factory, form, answers):
    server.answers = answers
    out = tmp_path_factory.getbasetemp() / f"out.{form}"
    questions = [f"0+{number}" for number in range(len(answers))]
    line = ["add", "--target", server.target, "--output", str(out), "--format", form, *questions]
    assert main(line) == 0
    text = out.read_bytes().decode()
    expected = list(map(escaped, answers))
    if form == "jsonl":
        assert [json.loads(row)["answer"] for row in text.splitlines()] == expected
    elif form == "csv":
        rows = csv.reader(io.StringIO(text, newline=""))
        assert [row[1] for row in rows][1:] == expected
    else:
        assert text.count("\n") == len(answers)


def escaped(raw):
    return raw.decode(errors="backslashreplace")


def test_output_in_another_encoding_has_escapes(server):
    server.answers = ["é".encode()]
    done = subprocess.run(
        [sys.executable, "-m", "seq2sum._command", "watch", "--count", "1", "--probe", "0+0",
         "--target", server.target],
        capture_output=True, check=False, timeout=60,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"0+0 = \xe9  (confidence" in done.stdout
