"""Questions out of files: every line is one, whatever its bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seq2sum._command.complaints import Mistake
from seq2sum._command.lines import CUT, LONGEST_LINE, Lines, Source, blocks


def lines_of(*parts):
    return [line for block in blocks(parts) for line in block]


def expected(whole):
    lines = whole.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for line in lines if lines[-1] else lines[:-1]:
        question = line.removesuffix(b"\r")
        try:
            yield question.decode()
        except UnicodeDecodeError:
            yield question


@pytest.mark.parametrize(
    ("whole", "lines"),
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
def test_a_line_ends_with_a_newline_and_nothing_else(whole, lines):
    assert lines_of(whole) == lines


@given(st.lists(st.binary(max_size=6) | st.sampled_from([b"\n", b"\r\n", b"1+1\n", b"\xef\xbb"])))
def test_where_a_text_is_cut_into_parts_does_not_matter(parts):
    assert lines_of(*filter(None, parts)) == list(expected(b"".join(parts)))


def test_lines_come_as_soon_as_they_are_whole():
    parts = iter([b"1+1\n2", b"+2\n", b"3+3"])
    found = blocks(parts)
    assert next(found) == ["1+1"]
    assert next(found) == ["2+2"]
    assert next(parts) == b"3+3"


def test_what_is_longer_than_any_question_is_cut_and_becomes_none():
    part = b" " * (1 << 16)
    parts = [b"1+1", *[part] * 40, b"\n2+2\n7", *[b"7" * (1 << 16)] * 40]
    first, second, third = lines_of(*parts)
    assert first == "1+1" + " " * (LONGEST_LINE - 3) + CUT.decode()
    assert second == "2+2"
    assert third == "7" * LONGEST_LINE + CUT.decode()


def test_every_line_knows_its_file_and_number(tmp_path):
    contents = {"a": b"1+1\n2+2\n", "empty": b"", "b": b"x"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    lines = Lines([Source.of(str(tmp_path / name)) for name in contents])
    assert lines.size == 9
    assert list(lines) == ["1+1", "2+2", "x"]
    assert (lines.taken, lines.bytes) == (3, 9)
    places = [lines.origin(row).removeprefix(f"{tmp_path}/") for row in range(3)]
    assert places == ["a:1", "a:2", "b:1"]


@pytest.mark.parametrize("name", ["nothing", "folder", "no\0name", "n" * 300])
def test_what_cannot_be_read_is_a_mistake_at_once(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(Mistake, match="cannot read"):
        Source.of(str(tmp_path / name))
