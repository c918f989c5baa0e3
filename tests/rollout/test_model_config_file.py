"""The file of record changes as a whole, by one at a time, or not at all."""

from __future__ import annotations

import errno
import os
import threading

import pytest
from seq2sum_serving.deployment import atomic_file, file_lock
from seq2sum_serving.deployment.errors import Failed, UsageError
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.deployment.state import ModelEntry, Policy
from support.config_texts import ADOPTED, BY_HAND
from support.situations import recorded


@pytest.fixture
def record(tmp_path):
    (tmp_path / "models.config").write_text(ADOPTED)
    return ModelConfigFile(tmp_path / "models.config", "seq2sum")


def test_a_change_is_read_back_and_nothing_is_left_beside(record):
    record.path.chmod(0o640)
    record.change(record.read(), recorded("1 2", stable=1, canary=2))
    assert record.read() == recorded("1 2", stable=1, canary=2)
    assert record.path.stat().st_mode & 0o777 == 0o640
    assert sorted(entry.name for entry in record.path.parent.iterdir()) == [
        ".models.config.lock",
        "models.config",
    ]


def test_a_change_goes_through_a_link_with_the_ends_of_lines_that_are_there(record, tmp_path):
    record.path.write_bytes(ADOPTED.replace("\n", "\r\n").encode())
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "models.config"
    link.symlink_to(record.path)
    linked = ModelConfigFile(link, "seq2sum")
    linked.change(linked.read(), recorded("1 2", stable=2, canary=2))
    assert link.is_symlink()
    assert record.read() == recorded("1 2", stable=2, canary=2)
    text = record.path.read_bytes()
    assert text.count(b"\n") == text.count(b"\r\n") == ADOPTED.count("\n")
    assert linked.lock_path("lock") == record.lock_path("lock")  # who comes by a link waits, too
    assert [entry.name for entry in link.parent.iterdir()] == ["models.config"]


def test_a_change_of_what_somebody_else_changed_is_refused(record):
    before = record.read()
    record.change(before, recorded("1 2", stable=1, canary=1))
    with pytest.raises(Failed, match="changed by somebody else meanwhile"):
        record.change(before, recorded("1 3", stable=1, canary=1))
    assert record.read() == recorded("1 2", stable=1, canary=1)


def test_of_many_at_once_each_sees_the_one_before(record):
    """Every thread adds its version, again and again until nobody was in between."""

    def add(version):
        while True:
            before = record.read()
            versions = before.policy.versions | {version}
            try:
                record.change(before, ModelEntry(Policy("specific", versions), before.labels))
            except Failed:
                continue
            return

    threads = [threading.Thread(target=add, args=(version,)) for version in range(2, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert record.read().policy.versions == set(range(1, 10))


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_changes_nothing(record, monkeypatch, call):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = record.read()
    monkeypatch.setattr(atomic_file.os, call, full)
    with pytest.raises(Failed, match=r"No space left on device.*as it was, and so is traffic"):
        record.change(before, recorded("2"))
    assert record.path.read_text() == ADOPTED
    assert [entry.name for entry in record.path.parent.iterdir() if entry.suffix != ".lock"] == [
        "models.config"
    ]


def test_nonsense_written_by_hand_is_told_with_its_line(record):
    record.path.write_text(BY_HAND.replace("specific {", "specfic {"))
    with pytest.raises(
        UsageError, match=r"models.config: it is no ModelServerConfig: line 4:5"
    ) as told:
        record.read()
    assert "Servers go on with what they have" in str(told.value)


def test_a_base_path_may_be_a_file_uri(record):
    assert record.base_path() == "/models/seq2sum"
    record.path.write_text(ADOPTED.replace('"/models/seq2sum"', '"file:///models/seq2sum"'))
    assert record.base_path() == "/models/seq2sum"


def test_a_missing_file_is_told_with_one_to_begin_with(tmp_path):
    with pytest.raises(UsageError, match="there is no model config file") as told:
        ModelConfigFile(tmp_path / "models.config", "seq2sum").read()
    example = str(told.value).split(":\n", 1)[1]
    (tmp_path / "models.config").write_text(example)
    assert ModelConfigFile(tmp_path / "models.config", "seq2sum").read() == ModelEntry()


def test_a_lock_tells_who_holds_it(tmp_path):
    lock = tmp_path / "lock"
    with (
        file_lock.hold(lock, "run by ann"),
        pytest.raises(BlockingIOError) as refused,
        file_lock.hold(lock, "bob", wait=False),
    ):
        pass
    assert refused.value.filename == "run by ann"
    with file_lock.hold(tmp_path / "lock", "bob", wait=False):
        pass
