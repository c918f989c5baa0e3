"""The history is counted while it grows, whatever becomes of the file."""

from __future__ import annotations

import os

import pytest
from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import Event, EventLog
from seq2sum_serving.probe.event_counter import AWAITED, Ledger

NOTHING = dict.fromkeys(AWAITED, 0)


@pytest.fixture
def history(tmp_path):
    return EventLog(tmp_path / "rollouts.jsonl")


@pytest.fixture
def ledger(history):
    return Ledger(history.path, "seq2sum")


def add(history, *kinds, model="seq2sum"):
    for what in kinds:
        history.append(Event(what, 1, model=model))


def seen(ledger):
    """What was counted; what was not has no place in it."""
    return {what: count for what, count in ledger.read().counts.items() if count}


def test_before_the_first_line_there_are_zeros_so_that_a_rate_sees_the_first(ledger):
    assert ledger.read().counts == NOTHING
    assert ledger.read().moments == {}


def test_lines_are_counted_as_they_come(ledger, history):
    add(history, "published", "promoted")
    assert seen(ledger) == {"published": 1, "promoted": 1}
    add(history, "promoted", "labels set")
    assert seen(ledger) == {"published": 1, "promoted": 2, "labels set": 1}
    assert seen(ledger) == {"published": 1, "promoted": 2, "labels set": 1}


def test_the_last_moment_of_a_kind_is_kept(ledger, history):
    times = ("2026-07-14T09:30:02.000Z", "2026-07-14T09:31:02.500Z")
    for moment in times:
        with history.path.open("a") as file:
            file.write(
                f'{{"format": 2, "kind": "promoted", "time": "{moment}", "model": "seq2sum"}}\n'
            )
    assert ledger.read().moments == {"promoted": 1784021462.5}


def test_other_models_are_others_business(ledger, history):
    add(history, "promoted", model="other")
    assert seen(ledger) == {}


def test_a_line_that_is_being_written_waits_for_its_end(ledger, history):
    add(history, "published", "promoted")
    whole = history.path.read_bytes()
    for size in range(len(whole) + 1):
        history.path.write_bytes(whole[:size])
        assert sum(seen(ledger).values()) == whole[:size].count(b"\n")


def test_what_a_crash_cut_short_does_not_count_when_it_is_taken_away(ledger, history):
    add(history, "published")
    with history.path.open("ab") as file:
        file.write(b'{"format": 2, "kind": "prom')
    assert seen(ledger) == {"published": 1}
    add(history, "promoted")
    assert seen(ledger) == {"published": 1, "promoted": 1}


def rotate(path):
    os.replace(path, path.with_name("rollouts.1"))


def truncate(path):
    os.truncate(path, 0)


@pytest.mark.parametrize("away", [rotate, truncate, os.remove])
def test_a_file_that_begins_anew_is_counted_anew(ledger, history, away):
    add(history, "published", "promoted", "promoted")
    assert seen(ledger) == {"published": 1, "promoted": 2}
    away(history.path)
    assert seen(ledger) == {}
    assert ledger.read().counts == NOTHING
    add(history, "promoted")
    assert seen(ledger) == {"promoted": 1}


@pytest.mark.parametrize("in_place", [True, False])
def test_a_file_that_is_rewritten_comes_to_its_own_counts(ledger, history, in_place):
    add(history, "published", "promoted")
    assert seen(ledger) == {"published": 1, "promoted": 1}
    longer = history.path.read_bytes().replace(b'"reason":""', b'"reason":"somebody explains it"')
    if not in_place:
        rotate(history.path)
    history.path.write_bytes(longer)
    assert seen(ledger) == {"published": 1, "promoted": 1}


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b"[1, 2]",
        b'{"format": 2, "kind": "promoted"}',
        b'{"format": 2, "kind": "promoted", "time": "soon", "model": "seq2sum"}',
        b'{"format": 2, "kind": "promoted", "time": 5, "model": "seq2sum"}',
        b'{"format": 2, "kind": "promoted", "colour": "red"}',
        b"\xff\xfe",
        b"",
    ],
)
def test_lines_that_are_no_events_are_passed_over_and_counted(ledger, history, line):
    add(history, "published")
    with history.path.open("ab") as file:
        file.write(line + b"\n")
    add(history, "promoted")
    assert seen(ledger) == {"published": 1, "promoted": 1}
    assert ledger.read().skipped == 1


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(Failed, match=r"cannot read the history .*: Is a directory"):
        Ledger(tmp_path, "seq2sum").read()
