"""Threads and timeouts of runs, with a fake session that records them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from seq2sum_serving.embedded.errors import Code
from seq2sum_serving.embedded.inference import session_runner
from seq2sum_serving.embedded.inference.session_runner import FAST_RUNS, SessionRunner
from support.serving_errors import refusal

pytestmark = pytest.mark.tensorflow

CALLER, TENSORFLOW = -1, 0
"""Values of RunOptions.inter_op_thread_pool: the calling thread, or TensorFlow's pool."""


class FakeSession:
    """Records the options of runs, which take `seconds` on a fake clock."""

    def __init__(self):
        self.now, self.seconds = 0.0, 0.0
        self.runs = []
        self.graph = tf.Graph()
        with self.graph.as_default():
            fed = tf.compat.v1.placeholder(tf.float32, [None], name="x")
            tf.identity(fed, name="y")
            tf.identity(fed, name="z")

    def run(self, _, options, feeds, __):
        self.runs.append(options)
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
    runner = SessionRunner(session)

    def run(timeout=None, fetches=("y",)):
        return runner.run({"x:0": np.zeros(1, np.float32)}, fetches, timeout=timeout)

    return run


def prove_fast(run):
    for _ in range(FAST_RUNS):
        run()


@pytest.mark.parametrize("timeout", [None, 0, -5, 1e6])
def test_a_run_without_an_effective_timeout_uses_the_callers_thread(session, run, timeout):
    run(timeout)
    assert session.runs == [(CALLER, 0)]


def test_a_run_with_a_timeout_uses_a_tensorflow_thread(session, run):
    run(0.001)
    run(1.0)
    run(30.0)
    assert session.runs == [(TENSORFLOW, 16), (TENSORFLOW, 1024), (TENSORFLOW, 32768)]


def test_similar_timeouts_have_the_same_options(session, run):
    for timeout in (4.2, 5.0, 8.1):
        run(timeout)
    assert session.runs == [(TENSORFLOW, 8192)] * 3


def test_a_fast_graph_runs_in_the_callers_thread(session, run):
    prove_fast(run)
    run(1.0)
    assert session.runs[-1] == (CALLER, 0)


def test_a_tight_timeout_always_uses_a_tensorflow_thread(session, run):
    prove_fast(run)
    run(0.5)
    assert session.runs[-1] == (TENSORFLOW, 512)


def test_other_outputs_are_not_fast_until_proven(session, run):
    prove_fast(run)
    run(1.0, fetches=("z",))
    assert session.runs[-1] == (TENSORFLOW, 1024)


def test_graph_leaves_the_callers_thread_after_a_slow_run(session, run):
    prove_fast(run)
    session.seconds = 0.2
    run(1.0)
    run(1.0)
    assert session.runs[-2:] == [(CALLER, 0), (TENSORFLOW, 1024)]


def test_a_run_longer_than_its_timeout_fails_in_any_thread(session, run):
    prove_fast(run)
    session.seconds = 2.5
    for _ in range(2):
        assert refusal(run, 2.0) == (
            Code.DEADLINE_EXCEEDED,
            "Timed out waiting for notification",
        )
    assert [thread for thread, _ in session.runs[-2:]] == [CALLER, TENSORFLOW]
