"""Texts of the progress line."""

from __future__ import annotations

import pytest
from seq2sum._command.progress import Tally, duration, progress, significant, summary


def test_summary_has_counts_and_rate():
    line = summary(Tally(1_000_000, 3), 2.1)
    assert line == "1,000,000 answered, 3 refused, in 2.1 s: 476,000 questions/s"
    assert summary(Tally(5), 0.0) == "5 answered, in 0.0 s: 5,000 questions/s"


@pytest.mark.parametrize(
    ("share", "line"),
    [
        (None, "40,000 answered, 20,000/s"),
        (0.0, "40,000 answered, 20,000/s"),
        (0.4, "40,000 answered, 20,000/s, 40%, 3 s left"),
        (1.1, "40,000 answered, 20,000/s, 100%, 0 s left"),
    ],
)
def test_progress_has_share_and_remaining_time_if_known(share, line):
    assert progress(Tally(40_000), 2.0, share) == line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (247, "4:07 min"), (7530, "2:05 h")],
)
def test_duration_in_seconds_minutes_or_hours(seconds, text):
    assert duration(seconds) == text


def test_significant_has_three_digits():
    assert [significant(rate) for rate in (476_123.4, 987.6, 12.34, 0.0)] == [476_000, 988, 12, 0]
