"""Retries, as a server sees them: gRPC makes them, by the channel's service config."""

from __future__ import annotations

import grpc
import pytest
import seq2sum

QUICK = {"pause": 0.01, "longest_pause": 0.01}
AT_ONCE = seq2sum.Retry(**QUICK)
NEVER_AGAIN = [
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INTERNAL,
]


def attempts_before(call):
    return dict(call.metadata).get("grpc-previous-rpc-attempts")


def test_an_unavailable_server_is_asked_again_within_one_deadline(fake, make_client):
    fake.fail(grpc.StatusCode.UNAVAILABLE, times=3)
    fake.delay = 0.15
    client = make_client(fake.target, timeout=9)
    assert client.add("1+1").value == 2
    assert list(map(attempts_before, fake.calls)) == [None, "1", "2", "3"]
    left = [call.seconds for call in fake.calls]
    assert 9.1 > left[0] > left[-1] + 0.3 > 0.3


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_there_are_so_many_attempts_and_no_more(fake, make_client, attempts):
    fake.fail(grpc.StatusCode.UNAVAILABLE, "not today", times=10)
    client = make_client(fake.target, retry=seq2sum.Retry(attempts=attempts, **QUICK))
    with pytest.raises(seq2sum.Unavailable, match="not today"):
        client.add("1+1")
    assert len(fake.calls) == attempts


@pytest.mark.parametrize("code", NEVER_AGAIN, ids=lambda code: code.name)
def test_no_other_failure_is_asked_again(fake, make_client, code):
    fake.fail(code)
    client = make_client(fake.target, retry=AT_ONCE)
    with pytest.raises(seq2sum.CallError) as caught:
        client.add("1+1")
    assert caught.value.code is code
    assert len(fake.calls) == 1


def test_the_deadline_ends_retries(fake, make_client):
    fake.fail(grpc.StatusCode.UNAVAILABLE, times=10)
    fake.delay = 0.2
    client = make_client(fake.target, retry=seq2sum.Retry(attempts=5, **QUICK))
    with pytest.raises(seq2sum.DeadlineExceeded):
        client.add("1+1", timeout=0.5)
    assert 1 < len(fake.calls) < 5


def test_the_budget_keeps_clients_from_beating_on_a_server_that_is_down(fake, make_client):
    fake.fail(grpc.StatusCode.UNAVAILABLE, times=1000)
    client = make_client(fake.target, retry=seq2sum.Retry(attempts=5, budget=10, refill=1, **QUICK))

    def refused(calls):
        before = len(fake.calls)
        for _ in range(calls):
            with pytest.raises(seq2sum.Unavailable):
                client.add("1+1")
        return len(fake.calls) - before

    # Of ten tokens five may go: four attempts that are followed by another, and one that is not.
    assert refused(1) == 5
    assert refused(30) == 30
    fake._failures.clear()
    for _ in range(20):
        client.add("1+1")
    fake.fail(grpc.StatusCode.UNAVAILABLE, times=1000)
    assert refused(1) == 5


def test_a_request_larger_than_grpcs_own_buffer_is_asked_again(fake, make_client):
    fake.fail(grpc.StatusCode.UNAVAILABLE)
    client = make_client(fake.target, retry=AT_ONCE)
    questions = ["1+1" + " " * 2000] * 500
    assert [answer.value for answer in client.add_many(questions)] == [2] * 500
    assert [len(call.questions) for call in fake.calls] == [500, 500]


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"attempts": 6},
        {"pause": 0.001},  # gRPC hangs after pauses of a millisecond
        {"pause": 2.0},
        {"budget": 0},
        {"budget": 1001},
        {"refill": 0.0},
        {"refill": 1e-5},
    ],
    ids=str,
)
def test_what_grpc_would_not_take_is_refused(wrong):
    with pytest.raises(ValueError, match=r"^invalid (attempts|pause|budget|refill) |^pauses grow"):
        seq2sum.Retry(**wrong)
