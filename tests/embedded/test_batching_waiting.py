"""How long a request waits, and what is left when a version goes."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from seq2sum_serving.configuration.batching_pb2 import BatchingParameters
from seq2sum_serving.embedded.batching import batched_servable
from seq2sum_serving.embedded.batching.batched_servable import wrapper
from seq2sum_serving.embedded.batching.scheduler import THREAD_NAME_PREFIX
from seq2sum_serving.embedded.errors import Code, ServingError
from support import doubling_servable
from support.doubling_servable import DoublingServable, answer, failure

make_setup = pytest.fixture(doubling_servable.batched_setups)


def test_a_batch_runs_with_the_latest_deadline_of_those_who_still_wait(make_setup):
    setup = make_setup()
    setup.occupy()
    futures = [setup.submit(1, timeout=seconds) for seconds in (1.0, 5.0, 3.0)]
    setup.clock.now = 2.0  # the first one is past its own
    setup.release()
    assert [answer(future) for future in futures] == [[[2]]] * 3
    assert setup.servable.timeouts == [None, 3.0]


@pytest.mark.parametrize("nobody_hurries", [None, 0.0, -1.0])
def test_a_batch_has_no_deadline_if_one_of_its_requests_has_none(make_setup, nobody_hurries):
    setup = make_setup()
    setup.occupy()
    futures = [setup.submit(1, timeout=1.0), setup.submit(2, timeout=nobody_hurries)]
    setup.clock.now = 9.0
    setup.release()
    assert [answer(future) for future in futures] == [[[2]], [[4]]]
    assert setup.servable.timeouts == [None, None]


def test_a_batch_for_which_nobody_waits_any_more_does_not_run(make_setup):
    setup = make_setup()
    setup.occupy()
    futures = [setup.submit(1, timeout=1.0), setup.submit(2, timeout=2.0)]
    setup.clock.now = 2.0
    setup.release()
    text = "Run() timeout exceeded while waiting in batching queue"
    assert [failure(future) for future in futures] == [(Code.RESOURCE_EXHAUSTED, text)] * 2
    assert setup.servable.runs == [[0]]


def test_a_request_without_rows_is_answered_when_rows_join_it(make_setup):
    setup = make_setup()
    waiting = [setup.submit() for _ in range(2)]
    assert not setup.servable.started.acquire(timeout=0.05)  # nothing runs, though a thread is free
    assert answer(setup.submit(3)) == [[6]]
    assert [answer(future) for future in waiting] == [[[]]] * 2
    assert setup.servable.runs == [[3]]


def test_a_request_without_rows_shares_the_error_of_those_that_join_it(make_setup):
    setup = make_setup()
    waiting = setup.submit()
    assert failure(setup.submit(-1)) == failure(waiting)


def test_a_request_without_rows_ends_at_its_deadline_and_leaves_nothing_behind(make_setup):
    setup = make_setup()
    feeds = {"x": np.array([], np.int64)}
    for _ in range(3):
        with pytest.raises(ServingError, match="DEADLINE_EXCEEDED: A request without rows"):
            setup.batched.run(feeds, ("y",), timeout=0.01)
    assert answer(setup.submit(1)) == [[2]]
    assert setup.servable.runs == [[1]]
    setup.batched.close()  # there is nothing left to wait for


@pytest.mark.parametrize("timeout", [None, 0.0, -1.0])
def test_a_request_without_rows_or_deadline_does_not_wait_for_ever(
    make_setup, monkeypatch, timeout
):
    monkeypatch.setattr(batched_servable, "LONGEST_WAIT_FOR_ROWS", 0.01)
    setup = make_setup()
    with pytest.raises(ServingError, match="DEADLINE_EXCEEDED"):
        setup.batched.run({"x": np.array([], np.int64)}, ("y",), timeout=timeout)


def test_closing_answers_requests_without_rows(make_setup):
    setup = make_setup()
    future = setup.submit()
    setup.batched.close()
    assert answer(future) == [[]]


def test_closing_answers_what_waits_and_leaves_no_thread(make_setup):
    setup = make_setup(threads=3, max_batch_size=8, batch_timeout=3600.0)
    future = setup.submit(1)
    setup.batched.close()
    assert answer(future) == [[2]]
    assert setup.servable.closed
    assert not [each for each in threading.enumerate() if each.name.startswith(THREAD_NAME_PREFIX)]
    with pytest.raises(ServingError, match="UNAVAILABLE: The batching queue was closed"):
        setup.submit(1)


def test_closing_one_version_leaves_another_its_threads():
    wrap = wrapper(BatchingParameters(num_batch_threads={"value": 2}))
    old, new = (wrap(DoublingServable(), "model", version, "path") for version in (1, 2))
    for servable in (old, new):
        servable.run({"x": np.array([1])}, ["y"])
    old.close()
    assert new.run({"x": np.array([3])}, ["y"])[0].tolist() == [6]
    new.close()


def test_a_version_without_parameters_of_its_own_is_not_batched(tmp_path):
    wrap = wrapper(BatchingParameters(), per_model=True)
    servable = DoublingServable()
    assert wrap(servable, "model", 1, str(tmp_path)) is servable
    (tmp_path / "batching_params.pbtxt").write_text("max_batch_size { value: 2 }")
    batched = wrap(servable, "model", 1, str(tmp_path))
    with pytest.raises(ServingError, match="larger than maximum input batch size 2"):
        batched.run({"x": np.array([1, 2, 3])}, ["y"])
    batched.close()
