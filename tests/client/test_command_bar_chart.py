"""Explanations as bar charts, and the detection of terminals."""

from __future__ import annotations

import io

import pytest
from seq2sum._command.bar_chart import bar, bar_chart
from seq2sum._command.terminal import Terminal
from seq2sum.addition.explanation import Explanation, Position

POSITIONS = (
    Position((("9", 0.95), ("8", 0.0498), ("7", 0.0002), ("6", 0.0), (" ", 0.0))),
    Position(((" ", 0.6), ("0", 0.4), ("1", 0.0))),
)
EXPLANATION = Explanation("5+4", POSITIONS, 3)


def test_chart_shows_the_probable_characters_at_each_position():
    assert bar_chart(EXPLANATION, Terminal(blocks=True, width=36), most=3) == (
        "5+4 = 9  (confidence 0.5700, version 3)\n"
        "\n"
        "  1  9  0.9500  ███████████████████\n"
        "     8  0.0498  █\n"
        "     7  0.0002\n"
        "  2  ␣  0.6000  ████████████\n"
        "     0  0.4000  ████████\n"
        "  ␣ is a blank\n"
    )


def test_chart_in_ascii():
    text = bar_chart(EXPLANATION, Terminal(width=36), most=2)
    assert text.isascii()
    assert "  1  9  0.9500  ###################\n     8  0.0498  #\n  2  _  0.6000" in text


def test_colour_of_a_bar_depends_on_the_probability():
    text = bar_chart(EXPLANATION, Terminal(colour=True, blocks=True, width=36), most=2)
    assert "\x1b[32m███████████████████\x1b[0m" in text
    assert "\x1b[33m████████████\x1b[0m" in text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, ""), (1 / 16, "▌"), (0.5, "████"), (0.99, "███████▉"), (1, "████████"), (7, "████████")],
)
def test_bar_has_eighths_of_a_character(share, text):
    assert bar(share, 8, blocks=True) == text


class Screen(io.TextIOWrapper):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("environment", "live", "colour"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, False, False),
        ({}, False, False),
    ],
)
def test_terminal_respects_term_and_no_color(environment, live, colour):
    terminal = Terminal.of(Screen(io.BytesIO(), encoding="utf-8"), environment)
    assert (terminal.live, terminal.colour, terminal.blocks) == (live, colour, True)
    assert not Terminal.of(io.StringIO(), environment).live
    assert not Terminal.of(None, environment).live


def test_terminal_detects_an_encoding_without_blocks():
    assert not Terminal.of(Screen(io.BytesIO(), encoding="latin-1"), {}).blocks
