"""What a reader sees of gates and of a plan."""

from __future__ import annotations

from functools import partial

import pytest
from seq2sum_serving.console.gates import results
from seq2sum_serving.console.steps import steps
from seq2sum_serving.deployment.event_log import Verdict
from seq2sum_serving.gates.measurement import Measurement
from support import rendering

shown = partial(rendering.shown, width=60)


def test_a_row_for_each_gate():
    found = [
        Measurement("contract", Verdict.SUCCESSFUL, "as before"),
        Measurement("golden", Verdict.FAILED, "exact match 0.31 [of 1,000], below the floor 0.95"),
    ]
    assert shown(results(found)) == [
        "gate      verdict     text",
        "─" * 60,
        "contract  Successful  as before",
        "golden    Failed      exact match 0.31 [of 1,000], below the",
        "                      floor 0.95",
    ]


@pytest.mark.parametrize(
    ("verdict", "colour"),
    [
        (Verdict.SUCCESSFUL, "32"),
        (Verdict.FAILED, "1;31"),
        (Verdict.INCONCLUSIVE, "33"),
        (Verdict.ERROR, "33"),
        (Verdict.SKIPPED, "2"),
    ],
)
def test_verdicts_have_colours(verdict, colour):
    text = "\n".join(shown(results([Measurement("golden", verdict, "x")]), terminal=True))
    assert f"\x1b[{colour}m{verdict}" in text


def test_no_gate():
    assert shown(results([])) == ["no gate was asked"]


def test_a_plan_is_numbered():
    assert shown(steps(["write 5 into [models]", "wait " * 14, *["look"] * 8])) == [
        " 1. write 5 into [models]",
        " 2. wait wait wait wait wait wait wait wait wait wait wait",
        "    wait wait wait",
        *(f"{number:2}. look" for number in range(3, 11)),
    ]


def test_an_empty_plan_says_so():
    assert shown(steps([])) == ["nothing to do: it is so already"]
