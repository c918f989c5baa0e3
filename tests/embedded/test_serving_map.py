"""Lookups of versions, also while the map changes, and changes that wait for running requests."""

from __future__ import annotations

import threading

import pytest
from seq2sum_serving.embedded.errors import ServingError
from seq2sum_serving.embedded.lifecycle.serving_map import ServingMap


@pytest.fixture
def serving():
    made = ServingMap()
    made.add("m", 1, "one")
    return made


def found(serving, model, version=None):
    with serving.handle(model, version) as handle:
        return handle


def test_largest_number_is_the_latest(serving):
    serving.add("m", 3, "three")
    serving.add("m", 2, "two")
    assert found(serving, "m") == (3, "three")
    assert found(serving, "m", 1) == (1, "one")


def test_removed_version_is_not_found(serving):
    assert serving.remove("m", 1) == "one"
    with pytest.raises(ServingError, match=r"Latest\(m\)"):
        found(serving, "m")


def test_change_waits_for_earlier_requests_only(serving):
    started, end = threading.Event(), threading.Event()

    def request():
        with serving.handle("m", None) as handle:
            started.set()
            end.wait(10)
            assert handle == (1, "one")

    old = threading.Thread(target=request)
    old.start()
    started.wait(10)
    change = threading.Thread(target=serving.add, args=("other", 7, "seven"))
    change.start()
    while True:
        try:
            assert found(serving, "other") == (7, "seven")  # at once, for new requests
            break
        except ServingError:
            pass
    with serving.handle("other", None):
        assert change.is_alive()
        end.set()
        change.join(10)
        assert not change.is_alive()
    old.join()


def test_request_that_finds_nothing_does_not_block_changes(serving):
    with pytest.raises(ServingError):
        found(serving, "nope")
    serving.add("m", 2, "two")
    assert found(serving, "m") == (2, "two")
