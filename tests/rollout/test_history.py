"""What was done is never lost, and a crash leaves no half of a line."""

from __future__ import annotations

import errno
import json
import os
import threading

import pytest
from seq2sum_serving.deployment import event_log
from seq2sum_serving.deployment.errors import Failed, Mistake
from seq2sum_serving.deployment.event_log import Event, History, spent


@pytest.fixture
def file(tmp_path):
    return History(tmp_path / "rollouts.jsonl")


def test_a_line_tells_who_and_when(file, monkeypatch):
    monkeypatch.setattr(event_log, "who", lambda: "ann@desk")
    monkeypatch.setattr(event_log, "now", lambda: "2026-07-14T09:30:02.000Z")
    file.add(Event("promoted", 3, "new data", {"weight": 5}, run="r", model="seq2sum"))
    [line] = file.path.read_text().splitlines()
    assert json.loads(line) == {
        "what": "promoted",
        "version": 3,
        "why": "new data",
        "figures": {"weight": 5},
        "run": "r",
        "model": "seq2sum",
        "when": "2026-07-14T09:30:02.000Z",
        "who": "ann@desk",
    }


def test_models_are_told_apart(file):
    for model in ("a", "b", "a"):
        file.add(Event("promoted", model=model))
    assert len(file.events("a")) == 2
    assert len(file.events()) == 3


def test_there_is_none_before_the_first_line(file):
    assert file.events() == []


@pytest.mark.parametrize("torn", [b'{"what": "prom', b"x" * 10_000, b'{"what": "promoted"}'])
def test_what_a_crash_cut_short_is_no_event_and_is_gone_with_the_next(file, torn):
    file.add(Event("published", 1))
    whole = file.path.read_bytes()
    file.path.write_bytes(whole + torn)
    assert [event.what for event in file.events()] == ["published"]
    file.add(Event("promoted", 1))
    assert [event.what for event in file.events()] == ["published", "promoted"]
    assert file.path.read_bytes().startswith(whole)
    assert torn not in file.path.read_bytes()


def test_a_disk_that_fills_up_leaves_the_lines_before(file, monkeypatch):
    file.add(Event("published", 1))
    before = file.path.read_bytes()
    real = os.write
    monkeypatch.setattr(event_log.os, "write", lambda handle, data: real(handle, data[:10]))
    with pytest.raises(Failed, match=r"No space left on device\. Nothing is done that would"):
        file.add(Event("promoted", 1))
    assert file.path.read_bytes() == before

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(event_log.os, "write", full)
    with pytest.raises(Failed, match="No space left on device"):
        file.add(Event("promoted", 1))
    assert file.path.read_bytes() == before


def test_lines_of_many_at_once_are_all_whole(file):
    def add(version):
        for _ in range(20):
            file.add(Event("x" * 500, version))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = file.events()
    assert len(events) == 100
    assert {event.version for event in events} == set(range(5))


@pytest.mark.parametrize(
    "line",
    [
        "by hand",
        "[]",
        '{"what": 5}',
        '{"what": "failed", "why": null}',
        '{"what": "failed", "version": "2"}',
        '{"what": "failed", "version": true}',
        '{"what": "run began", "version": 2, "figures": null}',
        pytest.param("[" * 100_000, id="too deep"),
    ],
)
def test_an_edited_line_is_refused(file, line):
    file.add(Event("published", 1))
    file.path.write_text(f"{file.path.read_text()}{line}\n")
    with pytest.raises(Mistake, match=r"line 2 of the history .* is no event: it was edited"):
        file.events()


def test_what_failed_or_was_taken_back_is_spent():
    events = [
        Event("failed", 2, "golden", when="Monday"),
        Event("promoted", 3),
        Event("rolled back", 4, "slow", when="Tuesday"),
        Event("rolled back", None, "?"),
    ]
    assert spent(events) == {2: "failed on Monday: golden", 4: "rolled back on Tuesday: slow"}
