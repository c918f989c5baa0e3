"""The output of `watch`."""

from __future__ import annotations

import pytest
from seq2sum._command.terminal import Terminal
from seq2sum._command.watch_view import (
    MAX_LATENCIES,
    History,
    Snapshot,
    answer_line,
    log_line,
    milliseconds,
    screen,
)
from seq2sum._versions import State, VersionStatus
from seq2sum.addition.answers import Answer

VERSIONS = (VersionStatus(2, State.LOADING), VersionStatus(1, State.AVAILABLE))
ANSWER = answer_line(Answer("53+42", "95", 0.98686, 1))
SNAPSHOT = Snapshot("10:00:00", VERSIONS, ANSWER, 0.0014)


def history(*snapshots):
    past = History()
    for snapshot in snapshots:
        past.add(snapshot)
    return past


def test_screen_shows_versions_probe_and_latency():
    past = history(Snapshot("", VERSIONS, ANSWER, 0.0126), Snapshot("", errors=("gone",)), SNAPSHOT)
    assert screen(SNAPSHOT, past, "seq2sum at a:1", Terminal()) == [
        "seq2sum at a:1  10:00:00",
        "",
        "  version 2  LOADING",
        "  version 1  AVAILABLE",
        "",
        "  53+42 = 95  (confidence 0.9869, version 1)",
        "",
        "  latency  1.40 ms  (min 1.40 ms, median 7.00 ms, max 12.6 ms of the last 2)",
        "  polls    3, 1 failed",
    ]


def test_screen_is_cut_to_the_terminals_width():
    failed = Snapshot("10:00:00", VERSIONS, errors=("gone " * 40,))
    lines = screen(failed, history(failed), "seq2sum at a:1", Terminal(width=20))
    assert max(map(len, lines)) == 19


def test_screen_is_cut_to_the_terminals_height():
    many = [VersionStatus(n, State.END) for n in range(40, 0, -1)]
    snapshot = Snapshot("10:00:00", many, ANSWER, 0.0014)
    lines = screen(snapshot, history(snapshot), "seq2sum at a:1", Terminal(height=16))
    assert lines[2:9] == [*(f"  version {n}  END" for n in range(40, 34, -1)), "  and 34 older"]
    assert len(lines) < 16


def test_log_line_has_the_whole_snapshot():
    assert log_line(SNAPSHOT, history(SNAPSHOT)) == (
        "10:00:00  53+42 = 95  (confidence 0.9869, version 1); latency 1.40 ms  (min 1.40 ms, "
        "median 1.40 ms, max 1.40 ms of the last 1); version 2  LOADING; version 1  AVAILABLE"
    )
    gone = Snapshot("10:00:02", errors=("nobody there",))
    assert log_line(gone, history(SNAPSHOT, gone)) == "10:00:02  nobody there"


def test_history_has_the_last_latencies():
    past = history(*[SNAPSHOT] * (MAX_LATENCIES + 5))
    assert (past.polls, len(past.latencies)) == (MAX_LATENCIES + 5, MAX_LATENCIES)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.00084, "0.84 ms"), (0.0123, "12.3 ms"), (1.25, "1,250 ms")]
)
def test_milliseconds_have_three_digits(seconds, text):
    assert milliseconds(seconds) == text
