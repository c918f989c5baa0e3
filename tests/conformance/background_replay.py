"""Replays cases that need a separate server, in the background: most of their time is waiting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
from conformance import differences, replay
from conformance.case import Case
from support import processes

CONCURRENT_CASES = 4
UNFORKED_GROUPS = {"shutdown"}
"""Groups about the process itself; the servers of other groups may be forked."""


@contextmanager
def replaying(cases: Sequence[Case], folder: Path) -> Iterator[dict[str, Future[list[str]]]]:
    """Starts to replay the cases; yields a future of the mismatches of each case, by its id."""

    def run(case: Case) -> list[str]:
        start = processes.start_process if case.group in UNFORKED_GROUPS else processes.fork_process
        path = folder / case.group / case.name
        return replay.replay_on_own_server(case, path, start, differences.overrides(case.id))

    # grpc imports further modules, with loggers, when the first channel is made. pytest iterates
    # over all loggers before each test, and fails if one is added meanwhile.
    grpc.insecure_channel("127.0.0.1:1").close()
    longest_first = sorted(cases, key=lambda case: case.wait_seconds, reverse=True)
    with ThreadPoolExecutor(CONCURRENT_CASES) as pool:
        yield {case.id: pool.submit(run, case) for case in longest_first}
        pool.shutdown(cancel_futures=True)
