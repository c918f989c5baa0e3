"""What the soak makes of its samples."""

from __future__ import annotations

import pytest
from soak.ledger import Entry, Ledger
from soak.report import Soak, picture, table
from soak.vitals import Vitals, floor, slope


def look(second, resident, *, threads=40, handles=50):
    return Vitals(float(second), float(resident), threads, handles)


def soak(samples, *, wrong=0, after=None, exit_code=0):
    entries = [Entry("gRPC Predict", 1000, wrong)]
    at_rest = look(0, 500)
    return Soak(10, entries, [], samples, at_rest, after or at_rest, exit_code)


LEVEL = [look(second, 700 + 200 * (second % 10 == 3)) for second in range(600)]
"""Every ten seconds a large message, and nothing stays."""
LEAK = [look(second, 700 + second / 10) for second in range(600)]


def test_messages_that_come_and_go_are_no_growth():
    assert {sample.resident for sample in floor(LEVEL, seconds=10)} == {700}
    assert soak(LEVEL).passed


def test_the_slope_is_megabytes_a_minute():
    assert slope(LEAK) == pytest.approx(6)
    assert soak(LEAK).slope == pytest.approx(6)


@pytest.mark.parametrize(
    "found",
    [
        soak(LEAK),
        soak(LEVEL, wrong=1),
        soak(LEVEL, after=look(600, 500, threads=60)),
        soak(LEVEL, after=look(600, 500, handles=60)),
        soak(LEVEL, exit_code=-9),
    ],
    ids=["memory", "a call", "threads", "handles", "the end"],
)
def test_any_one_fault_fails_it(found):
    assert not found.passed
    assert [good for good, _ in found.verdicts()].count(False) == 1


def test_the_report_shows_every_kind():
    ledger = Ledger()
    ledger.fine("swap")
    ledger.wrong("reload", "too late")
    assert ledger.examples() == ["reload: too late"]
    found = soak(LEVEL)
    assert "| gRPC Predict | 1,000 | 0 |" in table(found)
    assert found.row()["passed"]
    assert "file handles" in picture(found)
