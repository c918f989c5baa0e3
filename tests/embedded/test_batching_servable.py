"""Batches of concurrent requests, with a servable whose runs are blocked and released."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, chain

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seq2sum_serving.embedded.errors import Code, ServingError
from seq2sum_serving.embedded.monitoring import exposition, metrics
from support import doubling_servable
from support.doubling_servable import SECONDS, BatchedSetup, answer, failure

pytestmark = pytest.mark.tensorflow

BAD = -1

make_setup = pytest.fixture(doubling_servable.batched_setups)


def test_run_returns_the_outputs_of_the_servable(make_setup):
    batched = make_setup().batched
    [y] = batched.run({"x": np.array([1, 2])}, ["y"])
    assert y.tolist() == [2, 4]
    assert batched.signatures == {"serving_default": "its signature"}


def test_requests_that_wait_for_a_thread_share_a_batch(make_setup):
    setup = make_setup()
    setup.occupy()
    futures = [setup.submit(1), setup.submit(2, 3), setup.submit()]
    setup.release()
    assert [answer(future) for future in futures] == [[[2]], [[4, 6]], [[]]]
    assert setup.servable.runs == [[0], [1, 2, 3]]


def test_a_batch_waits_until_it_is_full(make_setup):
    setup = make_setup(max_batch_size=3, batch_timeout=3600.0)
    futures = [setup.submit(1), setup.submit(2), setup.submit(3)]
    assert [answer(future) for future in futures] == [[[2]], [[4]], [[6]]]
    assert setup.servable.runs == [[1, 2, 3]]


def test_outputs_have_the_order_of_the_fetches(make_setup):
    setup = make_setup()
    setup.occupy()
    futures = [setup.submit(1, fetches=order) for order in (["y", "z"], ["z", "y"], ["y", "z"])]
    setup.release()
    assert [answer(future) for future in futures] == [[[2], [3]], [[3], [2]], [[2], [3]]]
    assert setup.servable.runs == [[0], [1, 1, 1]]


def test_requests_with_other_inputs_or_outputs_do_not_share_a_batch(make_setup):
    setup = make_setup()
    setup.occupy()
    futures = [setup.submit(1), setup.submit(2, fetches=["z"])]
    futures.append(setup.submit(3, name="other"))
    setup.release()
    assert [answer(future) for future in futures] == [[[2]], [[6]], [[6]]]
    assert sorted(setup.servable.runs) == [[0], [1], [2], [3]]


def test_queues_are_served_round_robin(make_setup):
    setup = make_setup(max_batch_size=1)
    setup.occupy()
    futures = [setup.submit(number) for number in (1, 2, 3)]
    futures += [setup.submit(number, fetches=["z"]) for number in (10, 20)]
    setup.release()
    for future in futures:
        answer(future)
    assert setup.servable.runs == [[0], [1], [10], [2], [20], [3]]


def test_a_bad_row_fails_only_the_requests_in_its_batch(make_setup):
    setup = make_setup()
    setup.occupy()
    merged = [setup.submit(1), setup.submit(BAD, 2)]
    other = setup.submit(5, fetches=["z"])
    setup.release()
    text = "[1, -1, 2] has a negative number"
    assert [failure(future) for future in merged] == [(Code.INVALID_ARGUMENT, text)] * 2
    assert merged[0].exception() is not merged[1].exception()
    assert answer(other) == [[15]]
    assert answer(setup.submit(7)) == [[14]]


def test_a_scalar_output_fails_the_batch(make_setup):
    found = failure(make_setup().submit(1, 2, fetches=["scalar"]))
    assert found == (Code.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")


def test_padding_to_an_allowed_size_is_not_returned(make_setup):
    setup = make_setup(max_batch_size=8, allowed_batch_sizes=(4, 8))
    assert answer(setup.submit(1, 2, 3)) == [[2, 4, 6]]
    without_rows = setup.submit()
    setup.batched.close()
    assert answer(without_rows) == [[]]
    assert setup.servable.runs == [[1, 2, 3, 1], []]


def test_a_split_request_gets_all_of_its_outputs(make_setup):
    setup = make_setup(max_batch_size=8, splits=True, max_execution_batch_size=2)
    assert answer(setup.submit(1, 2, 3, 4, 5, fetches=["z", "y"])) == [
        [3, 6, 9, 12, 15],
        [2, 4, 6, 8, 10],
    ]
    assert setup.servable.runs == [[1, 2], [3, 4], [5]]


def test_a_bad_piece_fails_the_whole_request(make_setup):
    setup = make_setup(max_batch_size=8, splits=True, max_execution_batch_size=2)
    found = failure(setup.submit(1, 2, BAD, 4))
    assert found == (Code.INVALID_ARGUMENT, "[-1, 4] has a negative number")


def test_a_refused_request_does_not_run(make_setup):
    setup = make_setup(max_batch_size=2)
    with pytest.raises(ServingError, match="Task size 3 is larger"):
        setup.submit(1, 2, 3)
    with pytest.raises(ServingError, match="at least one dimension"):
        setup.batched.run({"x": np.float32(1)}, ["y"])
    assert setup.servable.runs == []


@hypothesis.settings(max_examples=30, deadline=None)
@given(
    requests=st.lists(
        st.tuples(
            st.lists(st.integers(0, 99), max_size=5),
            st.sampled_from([("y",), ("z",), ("y", "z"), ("z", "y")]),
        ),
        min_size=1,
        max_size=40,
    ),
    threads=st.integers(1, 3),
    largest=st.integers(5, 9),
    splits=st.booleans(),
)
def test_any_mix_of_requests_gets_the_outputs_of_the_servable_alone(
    requests, threads, largest, splits
):
    setup = BatchedSetup(
        threads,
        max_batch_size=largest,
        max_enqueued_batches=1000,
        splits=splits,
        max_execution_batch_size=2 if splits else largest,
    )

    def submit(request):
        numbers, fetches = request
        future = setup.submit(*numbers, fetches=fetches)
        if numbers:
            answer(future)
        return future

    with ThreadPoolExecutor(8) as callers:
        futures = list(callers.map(submit, requests))
    setup.batched.close()  # runs requests without rows that still wait
    answers = [answer(future) for future in futures]
    factors = {"y": 2, "z": 3}
    assert answers == [
        [[factors[name] * number for number in numbers] for name in fetches]
        for numbers, fetches in requests
    ]


def test_metrics_count_requests_runs_and_padding(make_setup):
    def counts():
        page = exposition.page().splitlines()
        # Labels may contain blanks, because model names may.
        rows = (line.rsplit(" ", 1) for line in page if line[0] == ":")
        return {name: float(value) for name, value in rows}

    setup = make_setup(max_batch_size=8, allowed_batch_sizes=(4, 8))
    metrics.WRAPPED_RUN_COUNT.inc()
    metrics.PADDING_SIZE.labels("4").observe(0)
    before = counts()
    answer(setup.submit(1, 2, 3))
    after = counts()
    changes = {name: after[name] - before.get(name, 0) for name in after}
    session = ":tensorflow:serving:batching_session:"
    assert {
        name.removeprefix(session): change
        for name, change in changes.items()
        if change and name.startswith(session) and "_bucket" not in name
    } == {
        "input_batch_size_sum{}": 3,
        "input_batch_size_count{}": 1,
        'padding_size_sum{execution_batch_size="4"}': 1,
        'padding_size_count{execution_batch_size="4"}': 1,
        "processed_batch_size_sum{}": 4,
        "processed_batch_size_count{}": 1,
        'queuing_latency_count{thread_pool_name=""}': 1,
        "wrapped_run_count{}": 1,
    }


@hypothesis.settings(max_examples=30, deadline=None)
@given(
    requests=st.lists(
        st.lists(st.integers(BAD, 5), min_size=1, max_size=3), min_size=1, max_size=12
    )
)
def test_any_mix_with_bad_rows_fails_only_the_requests_in_their_batches(requests):
    setup = BatchedSetup(max_batch_size=4, max_enqueued_batches=1000)
    blocked = setup.occupy()
    futures = [setup.submit(*numbers) for numbers in requests]
    setup.release()
    answer(blocked)
    succeeded = [future.exception(SECONDS) is None for future in futures]
    setup.batched.close()
    runs = setup.servable.runs[1:]
    row_is_good = [BAD not in run for run in runs for _ in run]
    assert list(chain(*runs)) == list(chain(*requests))
    first_rows = accumulate(map(len, requests[:-1]), initial=0)
    assert succeeded == [row_is_good[first] for first in first_rows]
