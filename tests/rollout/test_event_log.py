"""The event log loses no event, and a crash leaves no partial line in it."""

from __future__ import annotations

import errno
import json
import os
import threading

import pytest
from seq2sum_serving.deployment import event_log
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.event_log import Event, EventLog, burned


@pytest.fixture
def log(tmp_path):
    return EventLog(tmp_path / "rollouts.jsonl")


def kinds(log):
    return [event.kind for event in log.events()]


def test_append_adds_format_user_and_time(log, monkeypatch):
    monkeypatch.setattr(event_log, "current_user", lambda: "ann@desk")
    monkeypatch.setattr(event_log, "utc_now", lambda: "2026-07-14T09:30:02.000Z")
    log.append(Event("promoted", 3, "new data", {"weight": 5}, run="r", model="seq2sum"))
    [line] = log.path.read_text().splitlines()
    assert json.loads(line) == {
        "format": 2,
        "kind": "promoted",
        "version": 3,
        "reason": "new data",
        "details": {"weight": 5},
        "run": "r",
        "model": "seq2sum",
        "time": "2026-07-14T09:30:02.000Z",
        "user": "ann@desk",
    }


def test_events_are_filtered_by_model(log):
    for model in ("a", "b", "a"):
        log.append(Event("promoted", model=model))
    assert len(log.events("a")) == 2
    assert len(log.events()) == 3


def test_missing_file_has_no_events(log):
    assert log.events() == []


@pytest.mark.parametrize("torn", [b'{"kind": "prom', b"x" * 10_000, b'{"kind": "promoted"}'])
def test_torn_line_is_not_an_event_and_the_next_append_removes_it(log, torn):
    log.append(Event("published", 1))
    before = log.path.read_bytes()
    log.path.write_bytes(before + torn)
    assert kinds(log) == ["published"]
    log.append(Event("promoted", 1))
    assert kinds(log) == ["published", "promoted"]
    assert log.path.read_bytes().startswith(before)
    assert torn not in log.path.read_bytes()


def test_append_to_a_full_disk_keeps_the_earlier_lines(log, monkeypatch):
    log.append(Event("published", 1))
    before = log.path.read_bytes()
    real = os.write
    monkeypatch.setattr(event_log.os, "write", lambda handle, data: real(handle, data[:10]))
    with pytest.raises(Failed, match=r"No space left on device\. Nothing is changed that"):
        log.append(Event("promoted", 1))
    assert log.path.read_bytes() == before

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(event_log.os, "write", full)
    with pytest.raises(Failed, match="No space left on device"):
        log.append(Event("promoted", 1))
    assert log.path.read_bytes() == before


def test_concurrent_appends_write_whole_lines(log):
    def append(version):
        for _ in range(20):
            log.append(Event("x" * 500, version))

    threads = [threading.Thread(target=append, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = log.events()
    assert len(events) == 100
    assert {event.version for event in events} == set(range(5))


@pytest.mark.parametrize(
    "line",
    [
        "by hand",
        "[]",
        '{"format": 2}',
        '{"format": 2, "kind": 5}',
        '{"format": 2, "kind": "failed", "reason": null}',
        '{"format": 2, "kind": "failed", "version": "2"}',
        '{"format": 2, "kind": "failed", "version": true}',
        '{"format": 2, "kind": "run started", "version": 2, "details": null}',
        '{"format": 2, "kind": "failed", "colour": "red"}',
        pytest.param("[" * 100_000, id="too deep"),
    ],
)
def test_edited_line_is_refused(log, line):
    log.append(Event("published", 1))
    log.path.write_text(f"{log.path.read_text()}{line}\n")
    with pytest.raises(UsageError, match=r"line 2 of the history .* is not .*The file was edited"):
        log.events()


@pytest.mark.parametrize(
    "line",
    [
        '{"what":"failed","version":2,"why":"","figures":{},"run":"","model":"","when":"","who":""}',
        '{"format": 3, "kind": "failed", "stage": 1}',
    ],
)
def test_line_of_another_format_is_refused_with_advice(log, line):
    log.path.write_text(f"{line}\n")
    with pytest.raises(
        UsageError,
        match=r"^line 1 of the history .*rollouts\.jsonl is not an event of format 2: another "
        r"version of seq2sum-rollout wrote it\. Move the file away to start a new history, or name",
    ):
        log.events()


def test_burned_versions_failed_or_were_rolled_back():
    events = [
        Event("failed", 2, "golden", time="Monday"),
        Event("promoted", 3),
        Event("rolled back", 4, "slow", time="Tuesday"),
        Event("rolled back", None, "?"),
        Event("aborted", 5, "a replica stopped"),
        Event("failed", 6, "too slow"),
        Event("promoted", 6, "by decision"),
    ]
    assert burned(events) == {2: "failed on Monday: golden", 4: "rolled back on Tuesday: slow"}
