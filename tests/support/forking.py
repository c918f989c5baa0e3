"""Programs that fork while they use a client; each prints the answers of its processes.

    python forking.py PROGRAM TARGET COALESCED

They run as separate programs because a fork copies whatever the process has open, and a pytest
process has other channels and threads.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
import time

import seq2sum

CHILDREN = 20
TIMEOUT = 30


def child(function):
    """Runs a function in a forked child; returns its result or exception as text."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(TIMEOUT)  # ends a child that hangs
        try:
            outcome = str(function())
        except Exception as error:  # noqa: BLE001 reported to the parent
            outcome = f"{type(error).__name__}: {error}"
        os.write(writing, outcome.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        outcome = pipe.read()
    os.waitpid(pid, 0)
    return outcome


def alternating(client):
    """Parent, child and grandchild call in turn."""
    print(client.add("1+1").value)
    print(child(lambda: client.add("2+2").value))
    print(child(lambda: child(lambda: client.add("2+2").value)))
    print(client.add("3+3").value)
    print(child(lambda: sum(answer.value for answer in client.add_many(["1+1"] * 5000))))
    print(client.add("4+4").value)


def add_in_pool(question):
    """Uses the client that the pool's processes inherit, because clients cannot be pickled."""
    return inherited[0].add(question).value


inherited = []


def in_pool(client):
    """A process pool uses the parent's client."""
    inherited.append(client)
    print(client.add("1+1").value)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(add_in_pool, ["2+2", "3+3", "4+4"]))
        pool.close()
        pool.join()
    print(client.add("1+1").value)


def under_load(client):
    """The parent forks while its threads make one call after the other."""
    stop, failures = threading.Event(), []

    def ask():
        while not stop.is_set():
            try:
                assert client.add("20+22").value == 42
            except Exception as error:  # noqa: BLE001 any error is a failure
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    answers = [child(lambda: client.add("2+2").value) for _ in range(CHILDREN)]
    stop.set()
    for thread in threads:
        thread.join()
    print(answers == ["4"] * CHILDREN or answers, failures)


def during_a_hanging_call(client):
    """A fork waits only a limited time for a hanging call."""
    errors = []

    def ask():
        try:
            client.add("1+1", timeout=60)
        except seq2sum.CallError as error:
            errors.append(error.details)

    hanging = threading.Thread(target=ask)
    hanging.start()
    time.sleep(0.2)
    began = time.monotonic()
    child(lambda: 0)
    print(time.monotonic() - began < 20, errors)
    client.close()
    hanging.join()
    print(errors)


def asyncio_after_asyncio(client):
    """The parent's loop is closed, but its client is not."""

    async def ask():
        return [
            answer.value for answer in await asyncio.gather(client.add("1+1"), client.add("2+2"))
        ]

    print(asyncio.run(ask()))
    print(child(lambda: asyncio.run(ask())))
    print(asyncio.run(ask()))
    print(child(lambda: asyncio.run(ask())))
    asyncio.run(client.close())


def asyncio_after_closing(client):
    """The parent's client is closed; the child creates another one."""

    async def ask(opened):
        async with opened:
            return (await opened.add("1+1")).value

    print(asyncio.run(ask(client)))
    print(child(lambda: asyncio.run(ask(seq2sum.AsyncClient(client.target)))))


def asyncio_within_asyncio(client):
    """The parent forks while its loop runs: the child gets an error."""

    async def ask():
        print((await client.add("1+1")).value)
        print(child(lambda: asyncio.run(client.add("1+1"))))
        print((await client.add("2+2")).value)
        await client.close()

    asyncio.run(ask())


def main() -> None:
    program, target, coalesced = sys.argv[1:]
    kind = seq2sum.AsyncClient if program.startswith("asyncio") else seq2sum.Client
    client = kind(target, timeout=30, coalescing=seq2sum.Coalescing() if coalesced else None)
    globals()[program](client)
    if kind is seq2sum.Client:
        client.close()


if __name__ == "__main__":
    main()
