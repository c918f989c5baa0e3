"""A lock names its owner, and is released when its block ends or fails."""

from __future__ import annotations

import pytest
from seq2sum_serving.deployment import file_lock


@pytest.fixture
def lock(tmp_path):
    return tmp_path / "lock"


def test_lock_is_released_when_its_block_fails(lock):
    with pytest.raises(ZeroDivisionError), file_lock.hold(lock, "ann"):
        raise ZeroDivisionError
    with file_lock.hold(lock, "bob", wait=False):
        assert lock.read_text() == "bob"
    assert lock.read_text() == ""


def test_held_lock_names_its_owner(lock):
    with file_lock.hold(lock, "run by ann"):
        assert file_lock.holder(lock) == "run by ann"
        with (
            pytest.raises(BlockingIOError) as refused,
            file_lock.hold(lock, "bob", wait=False),
        ):
            pass
    assert refused.value.filename == "run by ann"
    with file_lock.hold(lock, "bob", wait=False):
        pass


def test_free_lock_has_no_holder(lock):
    assert file_lock.holder(lock) is None
    with file_lock.hold(lock, "ann"):
        pass
    assert file_lock.holder(lock) is None
