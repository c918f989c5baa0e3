"""Splits from files: weights that change, and files that become missing or invalid."""

from __future__ import annotations

import json
import logging
import os
import threading

import pytest
import seq2sum
from seq2sum import _split_file
from seq2sum.testing import FakeServer
from support.both_clients import KINDS

KEYS = [f"user-{i}" for i in range(500)]
GOOD = {"stable": 95, "canary": 5}


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the test advances."""

    class Clock:
        now = 100.0

        def __call__(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(_split_file, "monotonic", clock)
    return clock


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "traffic.json"
    path.write_text(json.dumps(GOOD))
    return path


@pytest.fixture
def put(path):
    """Replaces the file atomically, as a rollout does."""

    def put(weights):
        new = path.with_suffix(".new")
        new.write_text(weights if isinstance(weights, str) else json.dumps(weights))
        new.replace(path)

    return put


@pytest.fixture
def warnings(caplog):
    """Returns the messages logged with level WARNING or above."""
    caplog.set_level(logging.INFO, logger="seq2sum")
    return lambda: [
        record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING
    ]


def test_split_file_chooses_like_split(path):
    split = seq2sum.SplitFile(path)
    plain = seq2sum.Split(stable=95, canary=5)
    assert [split.choose(key) for key in KEYS] == [plain.choose(key) for key in KEYS]
    assert split.weights == plain.weights
    assert repr(split) == f"SplitFile({str(path)!r}, {GOOD})"


def test_numeric_names_are_versions(path, put):
    put({"3": 1, "04": 1, "canary": 0})
    split = seq2sum.SplitFile(path)
    assert split.weights == {3: 1, 4: 1, "canary": 0}
    assert {split.choose() for _ in range(200)} == {3, 4}


def test_change_is_read_after_poll_interval(path, put, clock):
    split = seq2sum.SplitFile(path, poll_interval=2)
    put({"stable": 0, "canary": 100})
    clock.now += 1.9
    assert split.weights == GOOD
    clock.now += 0.1
    assert {split.choose(key) for key in KEYS} == {"canary"}


def test_unchanged_file_is_not_read_again(path, put, monkeypatch):
    read = []

    def parse_weights(content):
        read.append(content)
        return weights(content)

    weights = _split_file.parse_weights
    monkeypatch.setattr(_split_file, "parse_weights", parse_weights)
    split = seq2sum.SplitFile(path, poll_interval=0)
    for key in KEYS[:50]:
        split.choose(key)
    assert len(read) == 1
    put(GOOD)
    split.choose("user")
    assert len(read) == 2


def test_change_in_place_is_detected_by_size_or_mtime(path):
    split = seq2sum.SplitFile(path, poll_interval=0)
    path.write_text('{"stable": 100}')
    assert split.weights == {"stable": 100}
    path.write_text('{"stable": 101}')
    os.utime(path, (1, 1))
    assert split.weights == {"stable": 101}


def test_path_survives_a_change_of_working_directory(path, put, monkeypatch):
    monkeypatch.chdir(path.parent)
    split = seq2sum.SplitFile(path.name, poll_interval=0)
    monkeypatch.chdir("/")
    put({"stable": 1})
    assert split.weights == {"stable": 1}


WRONG = [
    ("", "invalid JSON"),
    ('{"stable": 95, ', "invalid JSON"),
    ("[" * 50_000, "invalid JSON"),
    ("[95, 5]", "not a JSON object"),
    ("{}", "a split needs at least one weight above 0"),
    ('{"stable": 0}', "a split needs at least one weight above 0"),
    ('{"stable": "95"}', "the weight of 'stable' is not a number"),
    ('{"stable": true}', "the weight of 'stable' is not a number"),
    ('{"stable": {"a": 1}}', "the weight of 'stable' is not a number"),
    ('{"stable": -1, "canary": 5}', "expected finite numbers, 0 or more"),
    ('{"stable": NaN}', "expected finite numbers, 0 or more"),
    ('{"stable": 1e999}', "expected finite numbers, 0 or more"),
    (f'{{"stable": 1{"0" * 400}}}', "expected finite numbers, 0 or more"),
    ('{"stable": 1, "stable": 2}', "duplicate entry 'stable'"),
    ('{"3": 1, "03": 2}', "duplicate entry 3"),
    (f'{{"{2**63}": 1}}', "it does not fit into 64 bits"),
    ('{"": 1}', "invalid label ''"),
    (" " * 70_000, "larger than 65536 bytes"),
]


@pytest.mark.parametrize(("content", "named"), WRONG)
def test_invalid_file_is_refused_at_the_start(path, put, content, named):
    put(content)
    with pytest.raises(ValueError, match=r"expected weights.*like {") as caught:
        seq2sum.SplitFile(path)
    assert named in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_or_irregular_file_is_refused_at_the_start(path, tmp_path):
    path.unlink()
    with pytest.raises(ValueError, match=r"cannot be read: No such file.*expected weights"):
        seq2sum.SplitFile(path)
    os.mkfifo(path)
    for unfit in (path, tmp_path):
        with pytest.raises(ValueError, match="not a regular file"):
            seq2sum.SplitFile(unfit)


def test_invalid_utf8_is_refused(path):
    path.write_bytes(b'{"\xff": 1}')
    with pytest.raises(ValueError, match="invalid JSON"):
        seq2sum.SplitFile(path)


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_invalid_poll_interval_is_refused(path, seconds):
    with pytest.raises(
        ValueError, match=r"^invalid poll_interval .*: expected a number of seconds"
    ):
        seq2sum.SplitFile(path, poll_interval=seconds)


@pytest.mark.parametrize(("content", "named"), WRONG)
def test_file_that_becomes_invalid_keeps_the_last_weights(path, put, warnings, content, named):
    split = seq2sum.SplitFile(path, poll_interval=0)
    put(content)
    for key in KEYS[:5]:
        split.choose(key)
    assert split.weights == GOOD
    [warning] = warnings()
    assert named in warning
    assert str(GOOD) in warning


def test_each_problem_is_logged_once(path, put, warnings):
    split = seq2sum.SplitFile(path, poll_interval=0)

    def warnings_after(change):
        change()
        before = len(warnings())
        for key in KEYS[:5]:
            split.choose(key)
        return len(warnings()) - before

    assert warnings_after(path.unlink) == 1
    assert warnings_after(lambda: None) == 0
    assert warnings_after(lambda: put("{")) == 1
    assert warnings_after(lambda: put("[]")) == 1
    assert split.weights == GOOD
    assert warnings_after(lambda: put({"canary": 1})) == 0
    assert split.weights == {"canary": 1}
    assert warnings_after(path.unlink) == 1


def test_file_that_reappears_is_read_again(path, warnings):
    split = seq2sum.SplitFile(path, poll_interval=0)
    away = path.rename(path.with_suffix(".away"))
    assert split.weights == GOOD
    away.rename(path)
    assert split.weights == GOOD
    path.unlink()
    assert split.weights == GOOD
    assert len(warnings()) == 2


def test_new_weights_are_logged(path, put, warnings, caplog):
    split = seq2sum.SplitFile(path, poll_interval=0)
    put({"stable": 90, "canary": 10})
    split.choose("user")
    assert "now {'stable': 90, 'canary': 10}" in caplog.text
    assert warnings() == []


def test_callers_do_not_wait_for_the_thread_that_checks(path, put, clock, monkeypatch):
    split = seq2sum.SplitFile(path, poll_interval=1)
    checking, over = threading.Event(), threading.Event()
    weights = _split_file.parse_weights

    def parse_weights(content):
        checking.set()
        assert over.wait(60)
        return weights(content)

    monkeypatch.setattr(_split_file, "parse_weights", parse_weights)
    put({"canary": 1})
    clock.now += 1
    thread = threading.Thread(target=split.choose)
    thread.start()
    assert checking.wait(60)
    clock.now += 1
    assert split.weights == GOOD
    over.set()
    thread.join()
    assert split.weights == {"canary": 1}


def test_forked_child_checks_after_a_fork_during_a_check(path, put):
    split = seq2sum.SplitFile(path, poll_interval=0)
    split._lock.acquire()
    split._reset_after_fork()  # as in a forked child
    put({"canary": 1})
    assert split.weights == {"canary": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_both_clients_use_changed_weights(path, put, clock, kind):
    put({"stable": 1, "2": 0})
    split = seq2sum.SplitFile(path)
    with (
        FakeServer(versions=(1, 2), labels={"stable": 1}) as server,
        KINDS[kind](server.target, split=split) as client,
    ):
        assert client.add("1+1", key="ann").version == 1
        put({"stable": 0, "2": 1})
        assert client.add("1+1", key="ann").version == 1
        clock.now += 1
        assert client.add("1+1", key="ann").version == 2
        put("{")
        clock.now += 1
        assert client.add_many(["1+1"] * 3, key="ann")[0].version == 2
