"""Programs that fork while they use a client; each prints what its processes were answered.

    python forking.py PROGRAM TARGET

They are programs and not functions of a test, because what matters is all that a process has
open when it forks.
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
LONGEST = 30


def child(function):
    """What the function returns, or raises, in a child process."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(LONGEST)  # one that hangs ends all the same
        try:
            told = str(function())
        except Exception as error:  # noqa: BLE001 the parent is told, whatever it is
            told = f"{type(error).__name__}: {error}"
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        told = lines.read()
    os.waitpid(pid, 0)
    return told


def alternating(client):
    """Parent and child take turns, a grandchild too."""
    print(client.add("1+1").value)
    print(child(lambda: client.add("2+2").value))
    print(child(lambda: child(lambda: client.add("2+2").value)))
    print(client.add("3+3").value)
    print(child(lambda: sum(answer.value for answer in client.add_many(["1+1"] * 5000))))
    print(client.add("4+4").value)


def asked_in_pool(question):
    """In a process of the pool; clients are inherited and not pickled."""
    return inherited[0].add(question).value


inherited = []


def in_pool(client):
    """A pool of processes asks with the client of the parent."""
    inherited.append(client)
    print(client.add("1+1").value)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        print(pool.map(asked_in_pool, ["2+2", "3+3", "4+4"]))
        pool.close()
        pool.join()
    print(client.add("1+1").value)


def under_load(client):
    """Threads of the parent ask all the time."""
    over, wrong = threading.Event(), []

    def ask():
        while not over.is_set():
            try:
                assert client.add("20+22").value == 42
            except Exception as error:  # noqa: BLE001 whatever it is, it is wrong
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    told = [child(lambda: client.add("2+2").value) for _ in range(CHILDREN)]
    over.set()
    for thread in threads:
        thread.join()
    print(told == ["4"] * CHILDREN or told, wrong)


def beside_a_call_that_hangs(client):
    """A fork does not wait for it for ever."""
    done = []

    def ask():
        try:
            client.add("1+1", timeout=60)
        except seq2sum.CallError as error:
            done.append(error.details)

    hanging = threading.Thread(target=ask)
    hanging.start()
    time.sleep(0.2)
    began = time.monotonic()
    child(lambda: 0)
    print(time.monotonic() - began < 20, done)
    client.close()
    hanging.join()
    print(done)


def asyncio_after_asyncio(client):
    """The parent's loop is over, its client was never closed."""

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
    """The parent closed its client; the child has one of its own."""

    async def ask(one):
        async with one:
            return (await one.add("1+1")).value

    print(asyncio.run(ask(client)))
    print(child(lambda: asyncio.run(ask(seq2sum.AsyncClient(client.target)))))


def asyncio_within_asyncio(client):
    """The parent's loop runs: its channel does not survive, and the child is told."""

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
