"""Random plans of callers and calls, for tests of both coalescers.

Each caller must get the answer to its own question, or an error caused by itself or by the call
that it shared.
"""

from __future__ import annotations

import grpc
import seq2sum
from hypothesis import strategies as st
from seq2sum import _errors
from seq2sum._options import CallTarget
from seq2sum._servable import Servable
from seq2sum.addition import calls
from seq2sum.addition.answers import Columns

TARGET = CallTarget(Servable("seq2sum"))
LIMITS = seq2sum.Coalescing(max_batch=4, max_delay=0.002, max_in_flight=2, max_pending=12)
REFUSED = _errors.error_of(
    grpc.StatusCode.UNAVAILABLE, "gone", target="t", servable=TARGET.servable
)

CALLERS = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, 12),  # milliseconds
            "timeout": st.sampled_from([None, None, 0.003, 10]),
            "cancelled": st.sampled_from([None, None, None, 0, 1, 5]),
        }
    ),
    min_size=1,
    max_size=24,
)
CALLS = st.lists(
    st.tuples(st.sampled_from([0, 1, 3, 9]), st.sampled_from([True, True, False])),
    min_size=40,
    max_size=40,
)
"""Duration of each call in milliseconds, and whether it succeeds."""


def submit(coalescer, question, deadline):
    """Submits a question; returns its answer, or a coroutine that returns it."""
    return coalescer.submit(calls.mergeable(question, TARGET), TARGET, deadline)


def chunk_of(call_factory):
    """Returns the chunk of questions of a merged call."""
    return call_factory.args[0]


def answered(chunk):
    values = [sum(map(int, question.split("+"))) for question in chunk.questions]
    rows = len(values)
    return Columns(
        chunk.questions, [b"%d" % value for value in values], [0.5] * rows, [0] * rows, [1] * rows
    )


def check(number, outcome, callers, plan):
    """Checks a caller's outcome against its question and the planned calls."""
    match outcome:
        case seq2sum.DeadlineExceeded():
            assert callers[number]["timeout"] == 0.003
        case seq2sum.Unavailable():
            assert not all(succeeds for _, succeeds in plan)
        case seq2sum.Overloaded():
            assert len(callers) > LIMITS.max_pending
        case _:
            assert outcome == number + 1
