"""How long a request waits, and what is left when a version goes."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from seq2sum_serving.configuration.batching_pb2 import BatchingParameters
from seq2sum_serving.embedded.batching import batched
from seq2sum_serving.embedded.batching.batched import wrapper
from seq2sum_serving.embedded.batching.scheduler import THREADS
from seq2sum_serving.embedded.errors import Code, ServingError
from support import doubling_servable
from support.doubling_servable import Doubling, answer, failure

setting = pytest.fixture(doubling_servable.settings)


def test_a_batch_runs_with_the_latest_deadline_of_those_who_still_wait(setting):
    here = setting()
    here.occupy()
    futures = [here.submit(1, timeout=seconds) for seconds in (1.0, 5.0, 3.0)]
    here.clock.now = 2.0  # the first one is past its own
    here.release()
    assert [answer(future) for future in futures] == [[[2]]] * 3
    assert here.servable.timeouts == [None, 3.0]


@pytest.mark.parametrize("nobody_hurries", [None, 0.0, -1.0])
def test_a_batch_has_no_deadline_if_one_of_its_requests_has_none(setting, nobody_hurries):
    here = setting()
    here.occupy()
    futures = [here.submit(1, timeout=1.0), here.submit(2, timeout=nobody_hurries)]
    here.clock.now = 9.0
    here.release()
    assert [answer(future) for future in futures] == [[[2]], [[4]]]
    assert here.servable.timeouts == [None, None]


def test_a_batch_for_which_nobody_waits_any_more_does_not_run(setting):
    here = setting()
    here.occupy()
    futures = [here.submit(1, timeout=1.0), here.submit(2, timeout=2.0)]
    here.clock.now = 2.0
    here.release()
    text = "Run() timeout exceeded while waiting in batching queue"
    assert [failure(future) for future in futures] == [(Code.RESOURCE_EXHAUSTED, text)] * 2
    assert here.servable.runs == [[0]]


def test_a_request_without_rows_is_answered_when_rows_join_it(setting):
    here = setting()
    waiting = [here.submit() for _ in range(2)]
    assert not here.servable.begun.acquire(timeout=0.05)  # nothing runs, though a thread is free
    assert answer(here.submit(3)) == [[6]]
    assert [answer(future) for future in waiting] == [[[]]] * 2
    assert here.servable.runs == [[3]]


def test_a_request_without_rows_shares_the_error_of_those_that_join_it(setting):
    here = setting()
    waiting = here.submit()
    assert failure(here.submit(-1)) == failure(waiting)


def test_a_request_without_rows_ends_at_its_deadline_and_leaves_nothing_behind(setting):
    here = setting()
    feeds = {"x": np.array([], np.int64)}
    for _ in range(3):
        with pytest.raises(ServingError, match="DEADLINE_EXCEEDED: A request without rows"):
            here.batched.run(feeds, ("y",), timeout=0.01)
    assert answer(here.submit(1)) == [[2]]
    assert here.servable.runs == [[1]]
    here.batched.close()  # there is nothing left to wait for


@pytest.mark.parametrize("timeout", [None, 0.0, -1.0])
def test_a_request_without_rows_or_deadline_does_not_wait_for_ever(setting, monkeypatch, timeout):
    monkeypatch.setattr(batched, "LONGEST_WAIT_FOR_ROWS", 0.01)
    here = setting()
    with pytest.raises(ServingError, match="DEADLINE_EXCEEDED"):
        here.batched.run({"x": np.array([], np.int64)}, ("y",), timeout=timeout)


def test_closing_answers_requests_without_rows(setting):
    here = setting()
    future = here.submit()
    here.batched.close()
    assert answer(future) == [[]]


def test_closing_answers_what_waits_and_leaves_no_thread(setting):
    here = setting(threads=3, max_batch_size=8, batch_timeout=3600.0)
    future = here.submit(1)
    here.batched.close()
    assert answer(future) == [[2]]
    assert here.servable.closed
    assert not [each for each in threading.enumerate() if each.name.startswith(THREADS)]
    with pytest.raises(ServingError, match="UNAVAILABLE: The batching queue was closed"):
        here.submit(1)


def test_closing_one_version_leaves_another_its_threads():
    wrap = wrapper(BatchingParameters(num_batch_threads={"value": 2}))
    old, new = (wrap(Doubling(), "model", version, "path") for version in (1, 2))
    for servable in (old, new):
        servable.run({"x": np.array([1])}, ["y"])
    old.close()
    assert new.run({"x": np.array([3])}, ["y"])[0].tolist() == [6]
    new.close()


def test_a_version_without_parameters_of_its_own_is_not_batched(tmp_path):
    wrap = wrapper(BatchingParameters(), per_model=True)
    servable = Doubling()
    assert wrap(servable, "model", 1, str(tmp_path)) is servable
    (tmp_path / "batching_params.pbtxt").write_text("max_batch_size { value: 2 }")
    batched = wrap(servable, "model", 1, str(tmp_path))
    with pytest.raises(ServingError, match="larger than maximum input batch size 2"):
        batched.run({"x": np.array([1, 2, 3])}, ["y"])
    batched.close()
