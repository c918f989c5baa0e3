"""Retries by gRPC, as a server observes them."""

from __future__ import annotations

import grpc
import pytest
import seq2sum

QUICK = {"initial_backoff": 0.01, "max_backoff": 0.01}
QUICK_RETRY = seq2sum.Retry(**QUICK)
NOT_RETRIED = [
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INTERNAL,
]


def attempts_before(call):
    return dict(call.metadata).get("grpc-previous-rpc-attempts")


def test_unavailable_is_retried_within_one_deadline(fake, make_client):
    fake.fail(grpc.StatusCode.UNAVAILABLE, times=3)
    fake.delay = 0.15
    client = make_client(fake.target, timeout=9)
    assert client.add("1+1").value == 2
    assert list(map(attempts_before, fake.calls)) == [None, "1", "2", "3"]
    left = [call.time_remaining for call in fake.calls]
    assert 9.1 > left[0] > left[-1] + 0.3 > 0.3


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_end_at_max_attempts(fake, make_client, attempts):
    fake.fail(grpc.StatusCode.UNAVAILABLE, "not today", times=10)
    client = make_client(fake.target, retry=seq2sum.Retry(max_attempts=attempts, **QUICK))
    with pytest.raises(seq2sum.Unavailable, match="not today"):
        client.add("1+1")
    assert len(fake.calls) == attempts


@pytest.mark.parametrize("code", NOT_RETRIED, ids=lambda code: code.name)
def test_other_status_codes_are_not_retried(fake, make_client, code):
    fake.fail(code)
    client = make_client(fake.target, retry=QUICK_RETRY)
    with pytest.raises(seq2sum.CallError) as caught:
        client.add("1+1")
    assert caught.value.code is code
    assert len(fake.calls) == 1


def test_deadline_ends_retries(fake, make_client):
    fake.fail(grpc.StatusCode.UNAVAILABLE, times=10)
    fake.delay = 0.2
    client = make_client(fake.target, retry=seq2sum.Retry(max_attempts=5, **QUICK))
    with pytest.raises(seq2sum.DeadlineExceeded):
        client.add("1+1", timeout=0.5)
    assert 1 < len(fake.calls) < 5


def test_retry_throttling_limits_attempts_on_a_server_that_is_down(fake, make_client):
    fake.fail(grpc.StatusCode.UNAVAILABLE, times=1000)
    client = make_client(
        fake.target, retry=seq2sum.Retry(max_attempts=5, max_tokens=10, token_ratio=1, **QUICK)
    )

    def attempts_of(calls):
        before = len(fake.calls)
        for _ in range(calls):
            with pytest.raises(seq2sum.Unavailable):
                client.add("1+1")
        return len(fake.calls) - before

    # Five of ten tokens can be used: four attempts that are retried, and one that is not.
    assert attempts_of(1) == 5
    assert attempts_of(30) == 30
    fake._failures.clear()
    for _ in range(20):
        client.add("1+1")
    fake.fail(grpc.StatusCode.UNAVAILABLE, times=1000)
    assert attempts_of(1) == 5


def test_request_larger_than_grpcs_default_buffer_is_retried(fake, make_client):
    fake.fail(grpc.StatusCode.UNAVAILABLE)
    client = make_client(fake.target, retry=QUICK_RETRY)
    questions = ["1+1" + " " * 2000] * 500
    assert [answer.value for answer in client.add_many(questions)] == [2] * 500
    assert [len(call.questions) for call in fake.calls] == [500, 500]


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_attempts": 0},
        {"max_attempts": 6},
        {"initial_backoff": 0.001},  # gRPC may hang with a backoff of a millisecond
        {"initial_backoff": 2.0},
        {"max_tokens": 0},
        {"max_tokens": 1001},
        {"token_ratio": 0.0},
        {"token_ratio": 1e-5},
    ],
    ids=str,
)
def test_invalid_retry_values_are_refused(wrong):
    with pytest.raises(ValueError, match=r"^invalid (\w+) |^initial_backoff .+ is longer"):
        seq2sum.Retry(**wrong)
