"""The rollout history is counted incrementally, whatever happens to the file."""

from __future__ import annotations

import json
import os

import pytest
from seq2sum_serving.deployment.errors import Failed
from seq2sum_serving.deployment.event_log import Event, EventLog
from seq2sum_serving.probe.event_counter import INITIAL_KINDS, EventCounter

ZEROS = dict.fromkeys(map(str, INITIAL_KINDS), 0)


@pytest.fixture
def history(tmp_path):
    return EventLog(tmp_path / "rollouts.jsonl")


@pytest.fixture
def counter(history):
    return EventCounter(history.path, "seq2sum")


def add(history, *kinds, model="seq2sum"):
    for kind in kinds:
        history.append(Event(kind, 1, model=model))


def counts(counter):
    """The counts that are not 0."""
    return {kind: count for kind, count in counter.read().counts.items() if count}


def test_counts_start_at_zero_so_that_a_rate_sees_the_first_event(counter):
    assert counter.read().counts == ZEROS
    assert counter.read().last_timestamps == {}


def test_new_lines_are_counted_once(counter, history):
    add(history, "published", "promoted")
    assert counts(counter) == {"published": 1, "promoted": 1}
    add(history, "promoted", "labels set")
    assert counts(counter) == {"published": 1, "promoted": 2, "labels set": 1}
    assert counts(counter) == {"published": 1, "promoted": 2, "labels set": 1}


def test_the_last_timestamp_of_a_kind_is_kept(counter, history):
    for when in ("2026-07-14T09:30:02.000Z", "2026-07-14T09:31:02.500Z"):
        with history.path.open("a") as file:
            line = {"format": 2, "kind": "promoted", "time": when, "model": "seq2sum"}
            file.write(json.dumps(line) + "\n")
    assert counter.read().last_timestamps == {"promoted": 1784021462.5}


def test_events_of_other_models_are_not_counted(counter, history):
    add(history, "promoted", model="other")
    assert counts(counter) == {}


def test_an_incomplete_line_is_counted_when_it_is_complete(counter, history):
    add(history, "published", "promoted")
    content = history.path.read_bytes()
    for size in range(len(content) + 1):
        history.path.write_bytes(content[:size])
        assert sum(counts(counter).values()) == content[:size].count(b"\n")


def test_an_incomplete_line_of_a_crash_is_never_counted(counter, history):
    add(history, "published")
    with history.path.open("ab") as file:
        file.write(b'{"format": 2, "kind": "prom')
    assert counts(counter) == {"published": 1}
    add(history, "promoted")
    assert counts(counter) == {"published": 1, "promoted": 1}


def rotate(path):
    os.replace(path, path.with_name("rollouts.1"))


def truncate(path):
    os.truncate(path, 0)


@pytest.mark.parametrize("remove", [rotate, truncate, os.remove])
def test_counts_restart_with_a_new_file(counter, history, remove):
    add(history, "published", "promoted", "promoted")
    assert counts(counter) == {"published": 1, "promoted": 2}
    remove(history.path)
    assert counter.read().counts == ZEROS
    add(history, "promoted")
    assert counts(counter) == {"promoted": 1}


@pytest.mark.parametrize("in_place", [True, False])
def test_a_rewritten_file_is_counted_again(counter, history, in_place):
    add(history, "published", "promoted")
    assert counts(counter) == {"published": 1, "promoted": 1}
    longer = history.path.read_bytes().replace(b'"reason":""', b'"reason":"somebody explains it"')
    if not in_place:
        rotate(history.path)
    history.path.write_bytes(longer)
    assert counts(counter) == {"published": 1, "promoted": 1}


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
def test_invalid_lines_are_skipped_and_counted(counter, history, line):
    add(history, "published")
    with history.path.open("ab") as file:
        file.write(line + b"\n")
    add(history, "promoted")
    assert counts(counter) == {"published": 1, "promoted": 1}
    assert counter.read().invalid_lines == 1


def test_an_unreadable_file_is_an_error(tmp_path):
    with pytest.raises(Failed, match=r"cannot read the history .*: Is a directory"):
        EventCounter(tmp_path, "seq2sum").read()
