"""Explanations as bars, and what a terminal can show of them."""

from __future__ import annotations

import io

import pytest
from seq2sum._command.bars import bar, explained
from seq2sum._command.terminal import Terminal
from seq2sum.addition.explanation import Explanation, Position

PLACES = (
    Position((("9", 0.95), ("8", 0.0498), ("7", 0.0002), ("6", 0.0), (" ", 0.0))),
    Position(((" ", 0.6), ("0", 0.4), ("1", 0.0))),
)
EXPLANATION = Explanation("5+4", PLACES, 3)


def test_each_place_shows_what_the_network_thought_of():
    assert explained(EXPLANATION, Terminal(blocks=True, width=36), most=3) == (
        "5+4 = 9  (confidence 0.5700, version 3)\n"
        "\n"
        "  1  9  0.9500  ███████████████████\n"
        "     8  0.0498  █\n"
        "     7  0.0002\n"
        "  2  ␣  0.6000  ████████████\n"
        "     0  0.4000  ████████\n"
        "  ␣ is a blank\n"
    )


def test_plain_ascii_is_enough():
    text = explained(EXPLANATION, Terminal(width=36), most=2)
    assert text.isascii()
    assert "  1  9  0.9500  ###################\n     8  0.0498  #\n  2  _  0.6000" in text


def test_a_place_that_is_in_doubt_is_of_another_colour():
    text = explained(EXPLANATION, Terminal(colour=True, blocks=True, width=36), most=2)
    assert "\x1b[32m███████████████████\x1b[0m" in text
    assert "\x1b[33m████████████\x1b[0m" in text


@pytest.mark.parametrize(
    ("share", "drawn"),
    [(0, ""), (1 / 16, "▌"), (0.5, "████"), (0.99, "███████▉"), (1, "████████"), (7, "████████")],
)
def test_bars_are_drawn_in_eighths(share, drawn):
    assert bar(share, 8, blocks=True) == drawn


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
def test_colour_is_for_terminals_that_want_it(environment, live, colour):
    found = Terminal.of(Screen(io.BytesIO(), encoding="utf-8"), environment)
    assert (found.live, found.colour, found.blocks) == (live, colour, True)
    assert not Terminal.of(io.StringIO(), environment).live
    assert not Terminal.of(None, environment).live


def test_an_encoding_without_blocks_is_noticed():
    assert not Terminal.of(Screen(io.BytesIO(), encoding="latin-1"), {}).blocks
