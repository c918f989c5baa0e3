"""Questions from files: one per line, whatever its bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seq2sum._command.errors import UsageError
from seq2sum._command.input_lines import CUT, MAX_LINE, InputLines, Source, blocks


def lines_of(*parts):
    return [line for block in blocks(parts) for line in block]


def expected(content):
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for line in lines if lines[-1] else lines[:-1]:
        question = line.removesuffix(b"\r")
        try:
            yield question.decode()
        except UnicodeDecodeError:
            yield question


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"1+1", ["1+1"]),
        (b"1+1\n", ["1+1"]),
        (b"1+1\r\n2+2\r\n", ["1+1", "2+2"]),
        (b"1+1\n\n2+2\n", ["1+1", "", "2+2"]),
        (b"\n", [""]),
        (b"1\r+1\r\r\n", ["1\r+1\r"]),
        (b"\xef\xbb\xbf1+1\n\xef\xbb\xbf2+2", ["1+1", "\ufeff2+2"]),
        (b"\xef\xbb\xbf", []),
        (b"1+1\n\xff1+1\r\n2+2", ["1+1", b"\xff1+1", "2+2"]),
        (b"1\x00+1\n \x1b[2J\x0c\xc2\x85\xe2\x80\xa8x", ["1\x00+1", " \x1b[2J\x0c\x85\u2028x"]),
    ],
)
def test_lines_end_only_with_newlines(content, lines):
    assert lines_of(content) == lines


@given(st.lists(st.binary(max_size=6) | st.sampled_from([b"\n", b"\r\n", b"1+1\n", b"\xef\xbb"])))
def test_lines_are_independent_of_the_parts_that_were_read(parts):
    assert lines_of(*filter(None, parts)) == list(expected(b"".join(parts)))


def test_blocks_yields_lines_when_they_are_complete():
    parts = iter([b"1+1\n2", b"+2\n", b"3+3"])
    lines = blocks(parts)
    assert next(lines) == ["1+1"]
    assert next(lines) == ["2+2"]
    assert next(parts) == b"3+3"


def test_long_line_is_truncated_to_an_invalid_question():
    part = b" " * (1 << 16)
    parts = [b"1+1", *[part] * 40, b"\n2+2\n7", *[b"7" * (1 << 16)] * 40]
    first, second, third = lines_of(*parts)
    assert first == "1+1" + " " * (MAX_LINE - 3) + CUT.decode()
    assert second == "2+2"
    assert third == "7" * MAX_LINE + CUT.decode()


def test_origin_of_a_line_is_its_file_and_number(tmp_path):
    contents = {"a": b"1+1\n2+2\n", "empty": b"", "b": b"x"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    lines = InputLines([Source.from_path(str(tmp_path / name)) for name in contents])
    assert lines.size == 9
    assert list(lines) == ["1+1", "2+2", "x"]
    assert (lines.taken, lines.bytes) == (3, 9)
    origins = [lines.origin(row).removeprefix(f"{tmp_path}/") for row in range(3)]
    assert origins == ["a:1", "a:2", "b:1"]


@pytest.mark.parametrize("name", ["nothing", "folder", "no\0name", "n" * 300])
def test_source_that_cannot_be_read_is_a_usage_error(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="cannot read"):
        Source.from_path(str(tmp_path / name))
