"""The recorded rollout: its timeline, its SVG pictures, and the committed ones."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
import record_rollout
import terminal_svg
from rich.text import Text
from terminal_svg import Piece

SCENES = [
    ("run 3", [(0.0, "starts"), (60.0, "\x1b[32mends\x1b[0m"), (60.0, "x" * 1000)]),
    ("status", [(5.0, "fine")]),
]


def texts(svg):
    """Returns the text elements by their text."""
    return {"".join(each.itertext()): each for each in ET.fromstring(svg).findall(".//{*}text")}


def test_timeline_types_commands_and_cuts_waiting():
    pieces = record_rollout.timeline(SCENES)
    plain = [piece.text.plain for piece in pieces]
    assert plain[:5] == ["$ ", "run", "3", "starts", "ends"]
    assert [(p.row, p.column) for p in pieces[:4]] == [(0, 0), (0, 2), (0, 6), (1, 0)]
    prompt, word, *_ = texts(
        terminal_svg.still([piece.text for piece in pieces[:2]], columns=9)
    ).values()
    assert (prompt.get("class"), word.get("class")) == ("c2 bold", "bold")
    assert [piece.at for piece in pieces] == sorted(piece.at for piece in pieces)
    assert pieces[-1].at < 10
    assert plain[-3:] == ["$ ", "status", "fine"]


def test_long_line_is_wrapped():
    pieces = record_rollout.timeline(SCENES)
    parts = [piece for piece in pieces if piece.text.plain.startswith("x")]
    assert "".join(part.text.plain for part in parts) == "x" * 1000
    assert [part.row for part in parts] == list(range(3, 3 + len(parts)))
    assert max(len(part.text) for part in parts) == record_rollout.COLUMNS


def test_animation_shows_the_last_screen_if_the_reader_prefers_reduced_motion():
    pieces = [Piece(row / 2, row, 0, Text(f"line {row}")) for row in range(5)]
    svg = terminal_svg.animation(pieces, columns=20, rows=3, seconds=4)
    assert "prefers-reduced-motion: reduce" in svg
    up = 2 * terminal_svg.HEIGHT
    assert f".up {{transform: translateY({-up}px);" in svg
    assert "@keyframes k3 {0% {opacity: 0} 37.50%, 100% {opacity: 1}}" in svg
    assert set(texts(svg)) == {f"line {row}" for row in range(5)}


def test_text_is_as_wide_as_on_a_terminal_and_has_its_colours():
    line = Text.from_ansi("  <\x1b[1;31mFailed\x1b[0m \x1b[2mdim\x1b[0m")
    found = texts(terminal_svg.still([line], columns=40))
    assert (found["<"].get("x"), found["<"].get("textLength")) == ("16", "8")
    assert found["Failed"].get("textLength") == "48"
    assert found["Failed"].get("class") == "c1 bold"
    assert found["dim"].get("class") == "dim"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (
            "rollout-refused.svg",
            (record_rollout.BAD.split()[1], "Failed", "aborting the run", "burned"),
        ),
        ("rollout-watch.svg", ("step at weight 50", "Successful", "candidate group", "AVAILABLE")),
    ],
)
def test_committed_recording_shows_the_rollout(name, shown):
    svg = (record_rollout.PICTURES / name).read_text()
    found = " ".join(texts(svg))
    for each in shown:
        assert each in found
    assert len(svg) < 150_000
    assert "Traceback" not in found
    lengths = re.findall(r"animation: up (\d+)s", svg)
    assert all(int(seconds) <= 30 for seconds in lengths)
