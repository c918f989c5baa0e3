"""Splits from files: weights that change under way, and files that go missing or wrong."""

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
    """The time, which passes only where a test says so."""

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
    """Replaces the file as a whole, as a rollout does."""

    def put(weights):
        new = path.with_suffix(".new")
        new.write_text(weights if isinstance(weights, str) else json.dumps(weights))
        new.replace(path)

    return put


@pytest.fixture
def told(caplog):
    """What was logged, of the level of warnings and above."""
    caplog.set_level(logging.INFO, logger="seq2sum")
    return lambda: [
        record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING
    ]


def test_it_is_the_split_of_its_weights(path):
    split = seq2sum.SplitFile(path)
    plain = seq2sum.Split(stable=95, canary=5)
    assert [split.side(key) for key in KEYS] == [plain.side(key) for key in KEYS]
    assert split.weights == plain.weights
    assert repr(split) == f"SplitFile({str(path)!r}, {GOOD})"


def test_names_of_digits_are_versions(path, put):
    put({"3": 1, "04": 1, "canary": 0})
    split = seq2sum.SplitFile(path)
    assert split.weights == {3: 1, 4: 1, "canary": 0}
    assert {split.side() for _ in range(200)} == {3, 4}


def test_a_change_is_seen_when_it_is_time_to_look(path, put, clock):
    split = seq2sum.SplitFile(path, every=2)
    put({"stable": 0, "canary": 100})
    clock.now += 1.9
    assert split.weights == GOOD
    clock.now += 0.1
    assert {split.side(key) for key in KEYS} == {"canary"}


def test_keys_move_as_few_as_can_be(path, put):
    split = seq2sum.SplitFile(path, every=0)
    before = [split.side(key) for key in KEYS]
    put({"stable": 50, "canary": 50})
    moved = set(zip(before, [split.side(key) for key in KEYS], strict=True))
    assert ("stable", "canary") in moved
    assert ("canary", "stable") not in moved


def test_a_file_that_has_not_changed_is_not_read_again(path, put, monkeypatch):
    read = []

    def weights_of(content):
        read.append(content)
        return weights(content)

    weights = _split_file.weights_of
    monkeypatch.setattr(_split_file, "weights_of", weights_of)
    split = seq2sum.SplitFile(path, every=0)
    for key in KEYS[:50]:
        split.side(key)
    assert len(read) == 1
    put(GOOD)
    split.side("user")
    assert len(read) == 2


def test_a_change_in_place_is_seen_by_its_size_or_its_time(path):
    split = seq2sum.SplitFile(path, every=0)
    path.write_text('{"stable": 100}')
    assert split.weights == {"stable": 100}
    path.write_text('{"stable": 101}')
    os.utime(path, (1, 1))
    assert split.weights == {"stable": 101}


def test_the_program_may_change_its_folder(path, put, monkeypatch):
    monkeypatch.chdir(path.parent)
    split = seq2sum.SplitFile(path.name, every=0)
    monkeypatch.chdir("/")
    put({"stable": 1})
    assert split.weights == {"stable": 1}


WRONG = [
    ("", "it is not JSON"),
    ('{"stable": 95, ', "it is not JSON"),
    ("[" * 50_000, "it is not JSON"),
    ("[95, 5]", "it is no JSON object"),
    ("{}", "a split needs a side with a weight above 0"),
    ('{"stable": 0}', "a split needs a side with a weight above 0"),
    ('{"stable": "95"}', "the weight of 'stable' is no number"),
    ('{"stable": true}', "the weight of 'stable' is no number"),
    ('{"stable": {"a": 1}}', "the weight of 'stable' is no number"),
    ('{"stable": -1, "canary": 5}', "weights are 0 or more"),
    ('{"stable": NaN}', "weights are 0 or more"),
    ('{"stable": 1e999}', "weights are 0 or more"),
    (f'{{"stable": 1{"0" * 400}}}', "weights are 0 or more"),
    ('{"stable": 1, "stable": 2}', "it names 'stable' twice"),
    ('{"3": 1, "03": 2}', "it names 3 twice"),
    (f'{{"{2**63}": 1}}', "it does not fit into 64 bits"),
    ('{"": 1}', "'' is not a label"),
    (" " * 70_000, "it is larger than 65536 bytes"),
]


@pytest.mark.parametrize(("content", "said"), WRONG)
def test_a_file_that_is_wrong_at_the_start_is_refused(path, put, content, said):
    put(content)
    with pytest.raises(ValueError, match=r"it should hold weights.*like {") as caught:
        seq2sum.SplitFile(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_missing_or_none_at_the_start_is_refused(path, tmp_path):
    path.unlink()
    with pytest.raises(ValueError, match=r"cannot be read: No such file.*it should hold"):
        seq2sum.SplitFile(path)
    os.mkfifo(path)
    for unfit in (path, tmp_path):
        with pytest.raises(ValueError, match="it is no ordinary file"):
            seq2sum.SplitFile(unfit)


def test_bytes_that_are_no_text_are_refused(path):
    path.write_bytes(b'{"\xff": 1}')
    with pytest.raises(ValueError, match="it is not JSON"):
        seq2sum.SplitFile(path)


@pytest.mark.parametrize("every", [-1, float("nan")])
def test_looks_cannot_be_less_than_no_time_apart(path, every):
    with pytest.raises(ValueError, match=r"invalid every .*: expected a number of seconds from 0"):
        seq2sum.SplitFile(path, every=every)


@pytest.mark.parametrize(("content", "said"), WRONG)
def test_a_file_that_goes_wrong_keeps_the_last_good_weights(path, put, told, content, said):
    split = seq2sum.SplitFile(path, every=0)
    put(content)
    for key in KEYS[:5]:
        split.side(key)
    assert split.weights == GOOD
    [warning] = told()
    assert said in warning
    assert str(GOOD) in warning


def test_each_change_is_warned_of_once(path, put, told):
    split = seq2sum.SplitFile(path, every=0)

    def warnings_after(change):
        change()
        before = len(told())
        for key in KEYS[:5]:
            split.side(key)
        return len(told()) - before

    assert warnings_after(path.unlink) == 1
    assert warnings_after(lambda: None) == 0
    assert warnings_after(lambda: put("{")) == 1
    assert warnings_after(lambda: put("[]")) == 1
    assert split.weights == GOOD
    assert warnings_after(lambda: put({"canary": 1})) == 0
    assert split.weights == {"canary": 1}
    assert warnings_after(path.unlink) == 1


def test_the_same_file_that_comes_back_is_good_again(path, told):
    split = seq2sum.SplitFile(path, every=0)
    away = path.rename(path.with_suffix(".away"))
    assert split.weights == GOOD
    away.rename(path)
    assert split.weights == GOOD
    path.unlink()
    assert split.weights == GOOD
    assert len(told()) == 2


def test_new_weights_are_logged(path, put, told, caplog):
    split = seq2sum.SplitFile(path, every=0)
    put({"stable": 90, "canary": 10})
    split.side("user")
    assert "now {'stable': 90, 'canary': 10}" in caplog.text
    assert told() == []


def test_nobody_waits_for_the_thread_that_looks(path, put, clock, monkeypatch):
    split = seq2sum.SplitFile(path, every=1)
    looking, over = threading.Event(), threading.Event()
    weights = _split_file.weights_of

    def weights_of(content):
        looking.set()
        assert over.wait(60)
        return weights(content)

    monkeypatch.setattr(_split_file, "weights_of", weights_of)
    put({"canary": 1})
    clock.now += 1
    looker = threading.Thread(target=split.side)
    looker.start()
    assert looking.wait(60)
    clock.now += 1
    assert split.weights == GOOD
    over.set()
    looker.join()
    assert split.weights == {"canary": 1}


def test_a_forked_child_looks_though_a_thread_of_the_parent_did(path, put):
    split = seq2sum.SplitFile(path, every=0)
    split._looking.acquire()
    split._forget()  # what `_forks` calls in a child
    put({"canary": 1})
    assert split.weights == {"canary": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_both_clients_follow_it(path, put, clock, kind):
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
