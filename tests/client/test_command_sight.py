"""What `watch` shows of a look at a server."""

from __future__ import annotations

import pytest
from seq2sum._command.sight import REMEMBERED, History, Sight, milliseconds, row, screen
from seq2sum._command.terminal import Terminal
from seq2sum._versions import State, VersionStatus
from seq2sum.addition.answers import Answer

VERSIONS = (VersionStatus(2, State.LOADING), VersionStatus(1, State.AVAILABLE))
ANSWER = Answer("53+42", "95", 0.98686, 1)
SEEN = Sight("10:00:00", VERSIONS, ANSWER, 0.0014)


def history(*sights):
    known = History()
    for sight in sights:
        known.add(sight)
    return known


def test_a_live_view_shows_versions_probe_and_latency():
    known = history(Sight("", VERSIONS, ANSWER, 0.0126), Sight("", errors=("gone",)), SEEN)
    assert screen(SEEN, known, "seq2sum at a:1", Terminal()) == [
        "seq2sum at a:1  10:00:00",
        "",
        "  version 2  LOADING",
        "  version 1  AVAILABLE",
        "",
        "  53+42 = 95  (confidence 0.9869, version 1)",
        "",
        "  latency  1.40 ms  (min 1.40 ms, median 7.00 ms, max 12.6 ms of the last 2)",
        "  looks    3, 1 failed",
    ]


def test_no_line_is_wider_than_the_terminal():
    failed = Sight("10:00:00", VERSIONS, errors=("gone " * 40,))
    lines = screen(failed, history(failed), "seq2sum at a:1", Terminal(width=20))
    assert max(map(len, lines)) == 19


def test_a_view_is_no_higher_than_the_terminal():
    many = [VersionStatus(n, State.END) for n in range(40, 0, -1)]
    sight = Sight("10:00:00", many, ANSWER, 0.0014)
    lines = screen(sight, history(sight), "seq2sum at a:1", Terminal(height=16))
    assert lines[2:9] == [*(f"  version {n}  END" for n in range(40, 34, -1)), "  and 34 older"]
    assert len(lines) < 16


def test_a_line_in_a_log_has_it_all():
    assert row(SEEN, history(SEEN)) == (
        "10:00:00  53+42 = 95  (confidence 0.9869, version 1); latency 1.40 ms  (min 1.40 ms, "
        "median 1.40 ms, max 1.40 ms of the last 1); version 2  LOADING; version 1  AVAILABLE"
    )
    gone = Sight("10:00:02", errors=("nobody there",))
    assert row(gone, history(SEEN, gone)) == "10:00:02  nobody there"


def test_only_the_last_latencies_are_looked_back_on():
    known = history(*[SEEN] * (REMEMBERED + 5))
    assert (known.looks, len(known.latencies)) == (REMEMBERED + 5, REMEMBERED)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.00084, "0.84 ms"), (0.0123, "12.3 ms"), (1.25, "1,250 ms")]
)
def test_latencies_have_three_digits(seconds, text):
    assert milliseconds(seconds) == text
