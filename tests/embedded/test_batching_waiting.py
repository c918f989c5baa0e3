"""Deadlines of batches, requests without rows, and closing a version."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from seq2sum_serving.configuration.batching_pb2 import BatchingParameters
from seq2sum_serving.embedded.batching import batched_servable
from seq2sum_serving.embedded.batching.batched_servable import make_wrap
from seq2sum_serving.embedded.batching.scheduler import THREAD_NAME_PREFIX
from seq2sum_serving.embedded.errors import Code, ServingError
from support import doubling_servable
from support.doubling_servable import DoublingServable, answer, failure

pytestmark = pytest.mark.tensorflow

make_setup = pytest.fixture(doubling_servable.batched_setups)


def test_a_batch_has_the_latest_deadline_of_its_requests(make_setup):
    setup = make_setup()
    setup.occupy()
    futures = [setup.submit(1, timeout=seconds) for seconds in (1.0, 5.0, 3.0)]
    setup.clock.now = 2.0  # after the deadline of the first request
    setup.release()
    assert [answer(future) for future in futures] == [[[2]]] * 3
    assert setup.servable.timeouts == [None, 3.0]


@pytest.mark.parametrize("no_timeout", [None, 0.0, -1.0])
def test_a_batch_has_no_deadline_if_one_of_its_requests_has_none(make_setup, no_timeout):
    setup = make_setup()
    setup.occupy()
    futures = [setup.submit(1, timeout=1.0), setup.submit(2, timeout=no_timeout)]
    setup.clock.now = 9.0
    setup.release()
    assert [answer(future) for future in futures] == [[[2]], [[4]]]
    assert setup.servable.timeouts == [None, None]


def test_batch_whose_deadlines_have_all_passed_does_not_run(make_setup):
    setup = make_setup()
    setup.occupy()
    futures = [setup.submit(1, timeout=1.0), setup.submit(2, timeout=2.0)]
    setup.clock.now = 2.0
    setup.release()
    text = "Run() timeout exceeded while waiting in batching queue"
    assert [failure(future) for future in futures] == [(Code.RESOURCE_EXHAUSTED, text)] * 2
    assert setup.servable.runs == [[0]]


def test_a_request_without_rows_waits_for_one_with_rows(make_setup):
    setup = make_setup()
    waiting = [setup.submit() for _ in range(2)]
    assert not setup.servable.started.acquire(timeout=0.05)  # although a thread is free
    assert answer(setup.submit(3)) == [[6]]
    assert [answer(future) for future in waiting] == [[[]]] * 2
    assert setup.servable.runs == [[3]]


def test_a_request_without_rows_fails_with_its_batch(make_setup):
    setup = make_setup()
    waiting = setup.submit()
    assert failure(setup.submit(-1)) == failure(waiting)


def test_a_request_without_rows_leaves_the_queue_at_its_deadline(make_setup):
    setup = make_setup()
    feeds = {"x": np.array([], np.int64)}
    for _ in range(3):
        with pytest.raises(ServingError, match="DEADLINE_EXCEEDED: the request has no rows"):
            setup.batched.run(feeds, ("y",), timeout=0.01)
    assert answer(setup.submit(1)) == [[2]]
    assert setup.servable.runs == [[1]]
    setup.batched.close()  # returns, because no request waits


@pytest.mark.parametrize("timeout", [None, 0.0, -1.0])
def test_a_request_without_rows_or_deadline_has_a_time_limit(make_setup, monkeypatch, timeout):
    monkeypatch.setattr(batched_servable, "LONGEST_WAIT_FOR_ROWS", 0.01)
    setup = make_setup()
    with pytest.raises(ServingError, match="DEADLINE_EXCEEDED"):
        setup.batched.run({"x": np.array([], np.int64)}, ("y",), timeout=timeout)


def test_closing_runs_requests_without_rows(make_setup):
    setup = make_setup()
    future = setup.submit()
    setup.batched.close()
    assert answer(future) == [[]]


def test_closing_runs_waiting_requests_and_ends_the_threads(make_setup):
    setup = make_setup(threads=3, max_batch_size=8, batch_timeout=3600.0)
    future = setup.submit(1)
    setup.batched.close()
    assert answer(future) == [[2]]
    assert setup.servable.closed
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(THREAD_NAME_PREFIX)]
    with pytest.raises(ServingError, match="UNAVAILABLE: The batching queue was closed"):
        setup.submit(1)


def test_closing_one_version_keeps_the_threads_of_another():
    wrap = make_wrap(BatchingParameters(num_batch_threads={"value": 2}))
    old, new = (wrap(DoublingServable(), "model", version, "path") for version in (1, 2))
    for servable in (old, new):
        servable.run({"x": np.array([1])}, ["y"])
    old.close()
    assert new.run({"x": np.array([3])}, ["y"])[0].tolist() == [6]
    new.close()


def test_a_version_without_parameters_is_not_batched_per_model(tmp_path):
    wrap = make_wrap(BatchingParameters(), per_model=True)
    servable = DoublingServable()
    assert wrap(servable, "model", 1, str(tmp_path)) is servable
    (tmp_path / "batching_params.pbtxt").write_text("max_batch_size { value: 2 }")
    batched = wrap(servable, "model", 1, str(tmp_path))
    with pytest.raises(ServingError, match="larger than maximum input batch size 2"):
        batched.run({"x": np.array([1, 2, 3])}, ["y"])
    batched.close()
