"""The end of a client: closed, dropped, used once more, used on one loop after another."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import seq2sum

LONG = 120


def wait_for_call(fake, number=1):
    while len(fake.calls) < number:
        time.sleep(0.002)


def test_a_closed_client_says_that_it_is_closed(fake, make_client):
    client = make_client(fake.target)
    assert client.add("1+1").value == 2
    client.close()
    client.close()
    for use in (client.add, client.explain, lambda question: client.add_many([question])):
        with pytest.raises(RuntimeError, match=f"of {fake.target}, model seq2sum> is closed"):
            use("1+1")


def test_one_that_was_never_used_is_closed_as_well(make_client):
    client = make_client("127.0.0.1:1")
    client.close()
    with pytest.raises(RuntimeError, match="is closed"):
        client.versions()


@pytest.mark.parametrize("coalesce", [None, seq2sum.Coalesce()], ids=["alone", "coalesced"])
def test_closing_ends_the_calls_under_way(fake, make_client, coalesce):
    fake.delay = LONG
    client = make_client(fake.target, timeout=LONG, coalesce=coalesce)
    methods = [
        lambda: client.add("1+1"),
        lambda: client.add("2+2"),
        lambda: client.add_many(["1+1"] * 5000),
        lambda: list(client.add_stream(["1+1"] * 3, rows=1)),
        client.versions,
    ]
    with ThreadPoolExecutor(len(methods)) as callers:
        waiting = [callers.submit(method) for method in methods]
        wait_for_call(fake, 2 + 2 + (2 if coalesce is None else 1))
        client.close()
        for call in waiting:
            with pytest.raises(seq2sum.CallError, match="the client was closed") as caught:
                call.result(LONG)
            assert caught.value.code is grpc.StatusCode.CANCELLED
            assert fake.target in str(caught.value)


def test_a_cancelled_task_is_cancelled_and_its_neighbours_are_not(fake):
    fake.delay = LONG

    async def ask():
        client = seq2sum.AsyncClient(fake.target, timeout=LONG)
        cancelled, other = (asyncio.create_task(client.add("1+1")) for _ in range(2))
        while len(fake.calls) < 2:
            await asyncio.sleep(0.01)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert not other.done()
        await client.close()
        with pytest.raises(seq2sum.CallError, match="the client was closed"):
            await other

    asyncio.run(ask())


def dropped(make):
    """The warnings when what `make` returns is dropped."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make()
        gc.collect()
    return [str(warning.message) for warning in caught if warning.category is ResourceWarning]


def used(client):
    assert client.add("1+1").value == 2
    return client


def used_async(target, *, close):
    client = seq2sum.AsyncClient(target)

    async def ask():
        assert (await client.add("1+1")).value == 2
        if close:
            await client.close()

    asyncio.run(ask())
    return client


def test_a_used_client_that_is_dropped_open_is_warned_about(fake):
    where = f"of {fake.target}, model seq2sum>"
    told = dropped(lambda: used(seq2sum.Client(fake.target)))
    assert told == [f"unclosed <seq2sum.Client {where}"]
    told = dropped(lambda: used_async(fake.target, close=False))
    assert told == [f"unclosed <seq2sum.AsyncClient {where}"]


def test_one_that_is_closed_or_was_never_used_is_not(fake):
    assert dropped(lambda: used(seq2sum.Client(fake.target)).close()) == []
    assert dropped(lambda: used_async(fake.target, close=True)) == []
    assert dropped(lambda: seq2sum.Client(fake.target)) == []
    assert dropped(lambda: seq2sum.AsyncClient(fake.target)) == []


def test_one_client_serves_one_loop_after_another(fake):
    client = seq2sum.AsyncClient(fake.target, coalesce=seq2sum.Coalesce())

    async def ask():
        return [
            answer.value for answer in await asyncio.gather(client.add("1+1"), client.add("2+2"))
        ]

    for _ in range(3):
        assert asyncio.run(ask()) == [2, 4]
    asyncio.run(client.close())


def test_but_not_two_loops_at_a_time(fake):
    client = seq2sum.AsyncClient(fake.target)

    async def ask():
        assert (await client.add("1+1")).value == 2
        with (
            ThreadPoolExecutor(1) as other,
            pytest.raises(RuntimeError, match="belongs to another event loop"),
        ):
            await asyncio.get_running_loop().run_in_executor(other, asyncio.run, client.add("1+1"))
        await client.close()

    asyncio.run(ask())


def test_no_thread_is_left_behind(fake):
    def others():
        """Threads, without those of the fake server."""
        return {each for each in threading.enumerate() if "ThreadPool" not in each.name}

    before = others()
    with seq2sum.Client(fake.target, coalesce=seq2sum.Coalesce()) as client:
        client.add_many(["1+1"] * 9000)
    used_async(fake.target, close=True)
    gc.collect()
    for thread in others() - before:
        thread.join(20)
    assert others() <= before


def test_an_interrupted_program_does_not_wait_for_a_channel_that_does_not_close(fake, monkeypatch):
    stuck = threading.Event()
    monkeypatch.setattr(seq2sum._client, "LONGEST_CLOSE", 0.1)
    client = seq2sum.Client(fake.target)
    client.add("1+1")
    close = client.close
    monkeypatch.setattr(client, "close", lambda: stuck.wait(LONG) and close())
    with pytest.raises(KeyboardInterrupt), client:
        raise KeyboardInterrupt
    stuck.set()
    close()
