"""Who runs a graph, and what becomes of timeouts: on a session that only notes and waits."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.inference import session_runner
from seq2sum_serving.embedded.inference.session_runner import TRUSTED_RUNS, SessionRunner

CALLERS, OWN = -1, 0
"""Threads that a graph runs in, as RunOptions has them."""


class FakeSession:
    """Runs take as long as it is told, on a clock of its own."""

    def __init__(self):
        self.now, self.seconds = 0.0, 0.0
        self.runs = []
        self.graph = tf.Graph()
        with self.graph.as_default():
            fed = tf.compat.v1.placeholder(tf.float32, [None], name="x")
            tf.identity(fed, name="y")
            tf.identity(fed, name="z")

    def run(self, _, where, feeds, __):
        self.runs.append(where)
        self.now += self.seconds
        return list(feeds.values())


@pytest.fixture
def session(monkeypatch):
    session = FakeSession()
    monkeypatch.setattr(session_runner, "perf_counter", lambda: session.now)
    monkeypatch.setattr(session_runner, "session_run", session.run)
    return session


@pytest.fixture
def run(session):
    made = SessionRunner(session)

    def run(timeout=None, fetches=("y",)):
        return made.run({"x:0": np.zeros(1, np.float32)}, fetches, timeout=timeout)

    return run


def trust(run):
    for _ in range(TRUSTED_RUNS):
        run()


@pytest.mark.parametrize("timeout", [None, 0, -5, 1e6])
def test_without_a_real_timeout_the_callers_thread_runs_the_graph(session, run, timeout):
    run(timeout)
    assert session.runs == [(CALLERS, 0)]


def test_a_timeout_needs_a_thread_that_can_be_left(session, run):
    run(0.001)
    run(1.0)
    run(30.0)
    assert session.runs == [(OWN, 16), (OWN, 1024), (OWN, 32768)]


def test_like_timeouts_are_told_to_tensorflow_as_one(session, run):
    for timeout in (4.2, 5.0, 8.1):
        run(timeout)
    assert session.runs == [(OWN, 8192)] * 3


def test_a_graph_that_has_proven_quick_runs_in_the_callers_thread(session, run):
    trust(run)
    run(1.0)
    assert session.runs[-1] == (CALLERS, 0)


def test_a_tight_timeout_is_never_left_to_the_callers_thread(session, run):
    trust(run)
    run(0.5)
    assert session.runs[-1] == (OWN, 512)


def test_other_outputs_have_to_prove_themselves(session, run):
    trust(run)
    run(1.0, fetches=("z",))
    assert session.runs[-1] == (OWN, 1024)


def test_what_was_slow_once_is_not_trusted_any_more(session, run):
    trust(run)
    session.seconds = 0.2
    run(1.0)
    run(1.0)
    assert session.runs[-2:] == [(CALLERS, 0), (OWN, 1024)]


def test_what_took_longer_than_its_timeout_has_failed_in_whichever_thread(session, run):
    trust(run)
    session.seconds = 2.5
    for _ in range(2):
        with pytest.raises(ServingError) as caught:
            run(2.0)
        assert caught.value.code is Code.DEADLINE_EXCEEDED
        assert caught.value.message == "Timed out waiting for notification"
    assert [thread for thread, _ in session.runs[-2:]] == [CALLERS, OWN]
