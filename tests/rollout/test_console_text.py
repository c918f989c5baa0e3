"""Layouts of text."""

from __future__ import annotations

from seq2sum_serving.console.text import numbered_list
from support.rendering import shown


def test_plan_is_numbered():
    steps = ["write 5 into [models]", "wait " * 14, *["look"] * 8]
    assert shown(numbered_list(steps), width=60) == [
        " 1. write 5 into [models]",
        " 2. wait wait wait wait wait wait wait wait wait wait wait",
        "    wait wait wait",
        *(f"{number:2}. look" for number in range(3, 11)),
    ]


def test_empty_plan_has_a_message():
    assert shown(numbered_list([])) == ["nothing to do"]
