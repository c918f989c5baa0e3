"""What is told about how far it is."""

from __future__ import annotations

import pytest
from seq2sum._command.progress import Tally, duration, progress, significant, summary


def test_the_last_line_tells_the_counts_and_the_rate():
    told = summary(Tally(1_000_000, 3), 2.1)
    assert told == "1,000,000 answered, 3 refused, in 2.1 s: 476,000 questions/s"
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
def test_progress_tells_the_share_and_the_time_left_if_the_size_is_known(share, line):
    assert progress(Tally(40_000), 2.0, share) == line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (247, "4:07 min"), (7530, "2:05 h")],
)
def test_times_are_told_as_one_says_them(seconds, text):
    assert duration(seconds) == text


def test_rates_have_three_digits_that_mean_something():
    assert [significant(rate) for rate in (476_123.4, 987.6, 12.34, 0.0)] == [476_000, 988, 12, 0]
