"""Messages that come again and again."""

from __future__ import annotations

from seq2sum_serving.embedded.repeated import Repeated


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def times(repeated, clock, text, seconds):
    """When a message that comes every second is due, within so many seconds."""
    found = []
    for _ in range(seconds):
        if repeated.is_due("m", text):
            found.append(clock.now)
        clock.now += 1
    return found


def test_a_message_is_due_at_once_and_then_ever_less_often():
    clock = Clock()
    due = times(Repeated(clock), clock, "gone", 3600)
    assert due == [0, 10, 30, 70, 150, 310, 630, 1230, 1830, 2430, 3030]


def test_another_message_is_due_at_once():
    clock = Clock()
    repeated = Repeated(clock)
    assert times(repeated, clock, "gone", 5) == [0]
    assert times(repeated, clock, "empty", 5) == [5]
    assert times(repeated, clock, "gone", 5) == [10]


def test_each_subject_has_messages_of_its_own():
    repeated = Repeated(Clock())
    assert [repeated.is_due(name, "gone") for name in "abab"] == [True, True, False, False]


def test_a_subject_that_was_forgotten_starts_again():
    repeated = Repeated(Clock())
    assert repeated.is_due("m", "gone")
    repeated.forget("m")
    assert repeated.is_due("m", "gone")
    repeated.forget("never seen")
