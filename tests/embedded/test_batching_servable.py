"""Callers that share runs: a servable that waits until it is let go, and no pauses."""

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

BAD = -1

make_setup = pytest.fixture(doubling_servable.batched_setups)


def test_a_caller_gets_what_the_servable_answers(make_setup):
    batched = make_setup().batched
    [y] = batched.run({"x": np.array([1, 2])}, ["y"])
    assert y.tolist() == [2, 4]
    assert batched.signatures == {"serving_default": "its signature"}


def test_whatever_waits_while_a_batch_runs_is_one_batch(make_setup):
    setup = make_setup()
    setup.occupy()
    futures = [setup.submit(1), setup.submit(2, 3), setup.submit()]
    setup.release()
    assert [answer(future) for future in futures] == [[[2]], [[4, 6]], [[]]]
    assert setup.servable.runs == [[0], [1, 2, 3]]


def test_a_batch_waits_for_more_until_it_is_full(make_setup):
    setup = make_setup(max_batch_size=3, batch_timeout=3600.0)
    futures = [setup.submit(1), setup.submit(2), setup.submit(3)]
    assert [answer(future) for future in futures] == [[[2]], [[4]], [[6]]]
    assert setup.servable.runs == [[1, 2, 3]]


def test_outputs_come_in_the_order_asked_for(make_setup):
    setup = make_setup()
    setup.occupy()
    futures = [setup.submit(1, fetches=order) for order in (["y", "z"], ["z", "y"], ["y", "z"])]
    setup.release()
    assert [answer(future) for future in futures] == [[[2], [3]], [[3], [2]], [[2], [3]]]
    assert setup.servable.runs == [[0], [1, 1, 1]]


def test_other_outputs_and_other_inputs_are_never_in_the_same_batch(make_setup):
    setup = make_setup()
    setup.occupy()
    futures = [setup.submit(1), setup.submit(2, fetches=["z"])]
    futures.append(setup.batched.submit({"other": np.array([3])}, ["y"]))
    setup.release()
    assert [answer(future) for future in futures] == [[[2]], [[6]], [[6]]]
    assert sorted(setup.servable.runs) == [[0], [1], [2], [3]]


def test_queues_take_turns(make_setup):
    setup = make_setup(max_batch_size=1)
    setup.occupy()
    futures = [setup.submit(number) for number in (1, 2, 3)]
    futures += [setup.submit(number, fetches=["z"]) for number in (10, 20)]
    setup.release()
    for future in futures:
        answer(future)
    assert setup.servable.runs == [[0], [1], [10], [2], [20], [3]]


def test_one_bad_row_fails_those_that_it_was_merged_with_and_nobody_else(make_setup):
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


def test_an_output_that_is_no_batch_fails_the_batch(make_setup):
    setup = make_setup()
    found = failure(setup.submit(1, 2, fetches=["scalar"]))
    assert found == (Code.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")


def test_rows_are_added_up_to_an_allowed_size_and_nobody_sees_them(make_setup):
    setup = make_setup(max_batch_size=8, allowed_batch_sizes=(4, 8))
    assert answer(setup.submit(1, 2, 3)) == [[2, 4, 6]]
    without_rows = setup.submit()
    setup.batched.close()
    assert answer(without_rows) == [[]]
    assert setup.servable.runs == [[1, 2, 3, 1], []]


def test_a_split_request_is_answered_as_a_whole(make_setup):
    setup = make_setup(max_batch_size=8, splits=True, max_execution_batch_size=2)
    assert answer(setup.submit(1, 2, 3, 4, 5, fetches=["z", "y"])) == [
        [3, 6, 9, 12, 15],
        [2, 4, 6, 8, 10],
    ]
    assert setup.servable.runs == [[1, 2], [3, 4], [5]]


def test_one_bad_piece_fails_the_whole_request(make_setup):
    setup = make_setup(max_batch_size=8, splits=True, max_execution_batch_size=2)
    found = failure(setup.submit(1, 2, BAD, 4))
    assert found == (Code.INVALID_ARGUMENT, "[-1, 4] has a negative number")


def test_a_refused_request_reaches_nobody(make_setup):
    setup = make_setup(max_batch_size=2)
    with pytest.raises(ServingError, match="Task size 3 is larger"):
        setup.submit(1, 2, 3)
    with pytest.raises(ServingError, match="at least one dimension"):
        setup.batched.submit({"x": np.float32(1)}, ["y"])
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
    pieces=st.booleans(),
)
def test_whatever_the_mix_everyone_gets_what_the_servable_alone_would_answer(
    requests, threads, largest, pieces
):
    setup = BatchedSetup(
        threads,
        max_batch_size=largest,
        max_enqueued_batches=1000,
        splits=pieces,
        max_execution_batch_size=2 if pieces else largest,
    )

    def ask(request):
        numbers, fetches = request
        future = setup.submit(*numbers, fetches=fetches)
        if numbers:
            answer(future)
        return future

    with ThreadPoolExecutor(8) as callers:
        futures = list(callers.map(ask, requests))
    setup.batched.close()  # which answers requests without rows that nobody joined
    answers = [answer(future) for future in futures]
    factors = {"y": 2, "z": 3}
    assert answers == [
        [[factors[name] * number for number in numbers] for name in fetches]
        for numbers, fetches in requests
    ]


def test_what_waited_what_ran_and_what_was_added_is_counted(make_setup):
    def counts():
        page = exposition.page().splitlines()
        # A blank may be part of a label: models may have any name.
        rows = (line.rsplit(" ", 1) for line in page if line[0] == ":")
        return {name: float(value) for name, value in rows}

    setup = make_setup(max_batch_size=8, allowed_batch_sizes=(4, 8))
    metrics.WRAPPED_RUN_COUNT.inc()
    metrics.cell(metrics.PADDING_SIZE, "4").observe(0)
    before = counts()
    answer(setup.submit(1, 2, 3))
    after = counts()
    found = {name: after[name] - before.get(name, 0) for name in after}
    session = ":tensorflow:serving:batching_session:"
    assert {
        name.removeprefix(session): change
        for name, change in found.items()
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
def test_whatever_the_mix_a_bad_row_fails_exactly_those_that_it_was_merged_with(requests):
    setup = BatchedSetup(max_batch_size=4, max_enqueued_batches=1000)
    held = setup.occupy()
    futures = [setup.submit(*numbers) for numbers in requests]
    setup.release()
    answer(held)
    found = [future.exception(SECONDS) is None for future in futures]
    setup.batched.close()
    runs = setup.servable.runs[1:]
    row_is_good = [BAD not in run for run in runs for _ in run]
    assert list(chain(*runs)) == list(chain(*requests))
    firsts = accumulate(map(len, requests[:-1]), initial=0)
    assert found == [row_is_good[first] for first in firsts]
