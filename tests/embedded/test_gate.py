"""Calls that start, calls that are held, and the end of the last running call."""

from __future__ import annotations

import threading
import time

import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.rpc.gate import Gate


class FakeContext:
    """The context of a call that ends with `end`."""

    def __init__(self, *, active=True):
        self.active = active
        self.callbacks = []

    def add_callback(self, callback):
        if self.active:
            self.callbacks.append(callback)
        return self.active

    def end(self):
        for callback in self.callbacks:
            callback()


def is_idle(gate):
    return gate.wait_until_idle(time.monotonic())


def test_gate_is_idle_when_every_call_has_ended():
    gate, calls = Gate(), [FakeContext(), FakeContext()]
    for call in calls:
        gate.enter(call, None)
    gate.close()
    assert not is_idle(gate)
    calls[0].end()
    assert not is_idle(gate)
    calls[1].end()
    assert is_idle(gate)


def test_end_of_the_last_call_ends_the_wait():
    gate, call = Gate(), FakeContext()
    gate.enter(call, None)
    gate.close()
    threading.Timer(0.05, call.end).start()
    assert gate.wait_until_idle(time.monotonic() + 30)


def test_call_to_a_closed_gate_is_held_and_then_refused():
    gate, errors = Gate(), []

    def enter():
        with pytest.raises(ServingError) as caught:
            gate.enter(FakeContext(), 60.0)
        errors.append(caught.value)

    gate.close()
    caller = threading.Thread(target=enter)
    caller.start()
    caller.join(0.1)
    assert caller.is_alive()
    assert is_idle(gate)  # a held call does not count
    gate.refuse()
    caller.join(30)
    assert [error.code for error in errors] == [Code.UNAVAILABLE]


def test_held_call_keeps_half_of_its_time_for_another_server():
    gate, start = Gate(), time.monotonic()
    gate.close()
    with pytest.raises(ServingError, match="the server is stopping"):
        gate.enter(FakeContext(), 0.4)
    assert 0.2 <= time.monotonic() - start < 0.4


def test_cancelled_call_does_not_start():
    gate = Gate()
    with pytest.raises(ServingError) as caught:
        gate.enter(FakeContext(active=False), None)
    assert caught.value.code is Code.CANCELLED
    assert is_idle(gate)
