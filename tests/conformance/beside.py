"""The cases with a server of their own, which run beside the other tests: they mostly wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
from conformance import differences, replay
from conformance.case import Case
from support import processes

AT_A_TIME = 4
STARTED_PLAINLY = {"shutdown"}
"""Groups that are about the process itself; the others may be forked from a loaded one."""


@contextmanager
def playing(cases: Sequence[Case], folder: Path) -> Iterator[dict[str, Future[list[str]]]]:
    """What each case departs in, by its id, as it comes."""

    def play(one: Case) -> list[str]:
        plainly = one.group in STARTED_PLAINLY
        start = processes.started if plainly else processes.forked
        return replay.play_own(
            one, folder / one.group / one.name, start, differences.instead(one.id)
        )

    # grpc imports parts of itself, with loggers, when the first channel is made. pytest goes
    # through all loggers before each test, and fails if one is added meanwhile.
    grpc.insecure_channel("127.0.0.1:1").close()
    longest_first = sorted(cases, key=lambda one: one.seconds, reverse=True)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield {one.id: pool.submit(play, one) for one in longest_first}
        pool.shutdown(cancel_futures=True)
