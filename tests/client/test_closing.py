"""Closing a client: calls in flight, warnings for unclosed clients, threads, and event loops."""

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


def test_closed_client_raises_runtime_error(fake, make_client):
    client = make_client(fake.target)
    assert client.add("1+1").value == 2
    client.close()
    client.close()
    for use in (client.add, client.explain, lambda question: client.add_many([question])):
        with pytest.raises(RuntimeError, match=f"of {fake.target}, model seq2sum> is closed"):
            use("1+1")


def test_unused_client_can_be_closed(make_client):
    client = make_client("127.0.0.1:1")
    client.close()
    with pytest.raises(RuntimeError, match="is closed"):
        client.versions()


@pytest.mark.parametrize("coalescing", [None, seq2sum.Coalescing()], ids=["alone", "coalesced"])
def test_closing_ends_calls_in_flight(fake, make_client, coalescing):
    fake.delay = LONG
    client = make_client(fake.target, timeout=LONG, coalescing=coalescing)
    methods = [
        lambda: client.add("1+1"),
        lambda: client.add("2+2"),
        lambda: client.add_many(["1+1"] * 5000),
        lambda: list(client.add_stream(["1+1"] * 3, batch_size=1)),
        client.versions,
    ]
    with ThreadPoolExecutor(len(methods)) as callers:
        waiting = [callers.submit(method) for method in methods]
        wait_for_call(fake, 2 + 2 + (2 if coalescing is None else 1))
        client.close()
        for call in waiting:
            with pytest.raises(seq2sum.CallError, match="the client was closed") as caught:
                call.result(LONG)
            assert caught.value.code is grpc.StatusCode.CANCELLED
            assert fake.target in str(caught.value)


def test_cancelling_a_task_does_not_affect_others(fake):
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
    """Returns the warnings when the client that `make` returns is dropped."""
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


def test_dropping_an_open_client_warns(fake):
    where = f"of {fake.target}, model seq2sum>"
    warned = dropped(lambda: used(seq2sum.Client(fake.target)))
    assert warned == [f"unclosed <seq2sum.Client {where}"]
    warned = dropped(lambda: used_async(fake.target, close=False))
    assert warned == [f"unclosed <seq2sum.AsyncClient {where}"]


def test_dropping_a_closed_or_unused_client_does_not_warn(fake):
    assert dropped(lambda: used(seq2sum.Client(fake.target)).close()) == []
    assert dropped(lambda: used_async(fake.target, close=True)) == []
    assert dropped(lambda: seq2sum.Client(fake.target)) == []
    assert dropped(lambda: seq2sum.AsyncClient(fake.target)) == []


def test_async_client_works_on_consecutive_loops(fake):
    client = seq2sum.AsyncClient(fake.target, coalescing=seq2sum.Coalescing())

    async def ask():
        return [
            answer.value for answer in await asyncio.gather(client.add("1+1"), client.add("2+2"))
        ]

    for _ in range(3):
        assert asyncio.run(ask()) == [2, 4]
    asyncio.run(client.close())


def test_async_client_refuses_a_second_running_loop(fake):
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


def test_closed_clients_leave_no_threads_running(fake):
    def client_threads():
        """Returns all threads but those of the fake server."""
        return {each for each in threading.enumerate() if "ThreadPool" not in each.name}

    before = client_threads()
    with seq2sum.Client(fake.target, coalescing=seq2sum.Coalescing()) as client:
        client.add_many(["1+1"] * 9000)
    used_async(fake.target, close=True)
    gc.collect()
    for thread in client_threads() - before:
        thread.join(20)
    assert client_threads() <= before


def test_keyboard_interrupt_does_not_wait_for_a_channel_that_hangs(fake, monkeypatch):
    stuck = threading.Event()
    monkeypatch.setattr(seq2sum._sync_base_client, "CLOSE_TIMEOUT", 0.1)
    client = seq2sum.Client(fake.target)
    client.add("1+1")
    close = client.close
    monkeypatch.setattr(client, "close", lambda: stuck.wait(LONG) and close())
    with pytest.raises(KeyboardInterrupt), client:
        raise KeyboardInterrupt
    stuck.set()
    close()
