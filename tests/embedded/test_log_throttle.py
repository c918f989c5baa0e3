"""The intervals at which repeated messages are logged."""

from __future__ import annotations

from seq2sum_serving.embedded.log_throttle import LogThrottle


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def due_times(throttle, clock, text, seconds):
    """Returns the times at which a message is due if it is repeated every second."""
    times = []
    for _ in range(seconds):
        if throttle.is_due("m", text):
            times.append(clock.now)
        clock.now += 1
    return times


def test_message_is_due_at_once_and_then_at_growing_intervals():
    clock = Clock()
    due = due_times(LogThrottle(clock), clock, "gone", 3600)
    assert due == [0, 10, 30, 70, 150, 310, 630, 1230, 1830, 2430, 3030]


def test_different_message_is_due_at_once():
    clock = Clock()
    throttle = LogThrottle(clock)
    assert due_times(throttle, clock, "gone", 5) == [0]
    assert due_times(throttle, clock, "empty", 5) == [5]
    assert due_times(throttle, clock, "gone", 5) == [10]


def test_subjects_are_throttled_separately():
    throttle = LogThrottle(Clock())
    assert [throttle.is_due(name, "gone") for name in "abab"] == [True, True, False, False]


def test_forgotten_subject_is_due_at_once():
    throttle = LogThrottle(Clock())
    assert throttle.is_due("m", "gone")
    throttle.forget("m")
    assert throttle.is_due("m", "gone")
    throttle.forget("unknown")
