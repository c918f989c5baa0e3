"""Calls that begin, calls that are held, and when the last one has ended."""

from __future__ import annotations

import threading
import time

import pytest
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.rpc.gate import Gate


class Context:
    """That of a call that ends when the test says so."""

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


def idle(gate):
    return gate.wait_until_idle(time.monotonic())


def test_a_gate_is_idle_when_every_call_has_ended():
    gate, calls = Gate(), [Context(), Context()]
    for call in calls:
        gate.enter(call, None)
    gate.close()
    assert not idle(gate)
    calls[0].end()
    assert not idle(gate)
    calls[1].end()
    assert idle(gate)


def test_the_end_of_the_last_call_ends_the_waiting():
    gate, call = Gate(), Context()
    gate.enter(call, None)
    gate.close()
    threading.Timer(0.05, call.end).start()
    assert gate.wait_until_idle(time.monotonic() + 30)


def test_a_call_that_comes_later_is_held_and_then_refused():
    gate, errors = Gate(), []

    def enter():
        with pytest.raises(ServingError) as caught:
            gate.enter(Context(), 60.0)
        errors.append(caught.value)

    gate.close()
    caller = threading.Thread(target=enter)
    caller.start()
    caller.join(0.1)
    assert caller.is_alive()
    assert idle(gate)  # it has not begun
    gate.refuse()
    caller.join(30)
    assert [error.code for error in errors] == [Code.UNAVAILABLE]


def test_a_held_call_keeps_half_of_its_time_for_another_server():
    gate, start = Gate(), time.monotonic()
    gate.close()
    with pytest.raises(ServingError, match="the server is stopping"):
        gate.enter(Context(), 0.4)
    assert 0.2 <= time.monotonic() - start < 0.4


def test_a_call_whose_caller_has_left_does_not_begin():
    gate = Gate()
    with pytest.raises(ServingError) as caught:
        gate.enter(Context(active=False), None)
    assert caught.value.code is Code.CANCELLED
    assert idle(gate)
