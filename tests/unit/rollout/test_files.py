"""Files change as a whole, and a lock ends with whoever holds it."""

from __future__ import annotations

import os

import pytest
from seq2sum_serving.rollout import files


def test_a_new_file_can_be_read_by_servers_of_other_users(tmp_path):
    files.replace(tmp_path / "file", "text")
    assert (tmp_path / "file").read_text() == "text"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_an_old_one_keeps_its_mode(tmp_path):
    path = tmp_path / "file"
    path.write_text("before")
    path.chmod(0o640)
    files.replace(path, "after")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("after", 0o640)


@pytest.mark.parametrize("step", ["fsync", "replace", "fchmod"])
def test_what_cannot_be_written_leaves_the_old_file_and_nothing_beside(tmp_path, monkeypatch, step):
    def full(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    path.write_text("before")
    with monkeypatch.context() as patch:
        patch.setattr(os, step, full)
        with pytest.raises(OSError, match="No space left"):
            files.replace(path, "after")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "before"


def test_a_lock_is_free_again_when_its_holder_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), files.locked(tmp_path / "lock", "ann"):
        raise ZeroDivisionError
    with files.locked(tmp_path / "lock", "bob", wait=False):
        assert (tmp_path / "lock").read_text() == "bob"
    assert (tmp_path / "lock").read_text() == ""
