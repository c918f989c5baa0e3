"""Measures the gain of a second server process: `make bench-workers`.

The server runs with `--server_processes=1` and `2` in turns, without and with batching. Each load
is 64 concurrent calls of one question, from h2load, which leaves the cores to the server, or from
the asyncio client, which competes for them. The gain is the ratio of the medians.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import grpc
import seq2sum
from support import servers

from benchmarks.load.requests import METHOD, encode, questions
from benchmarks.support import h2load
from benchmarks.support.output import argument_parser, log, write_json
from benchmarks.support.trials import export_recipes

CALLERS = 64
LOADS = ("h2load", "AsyncClient")
PROCESSES = (1, 2)
FLAGS = ("--tensorflow_intra_op_parallelism=1", "--grpc_max_threads=256")
BATCHING = (
    "max_batch_size { value: 4096 } batch_timeout_micros { value: 0 } "
    "num_batch_threads { value: 2 } max_enqueued_batches { value: 100 }"
)
MIN_GAIN = 1.3
"""Below this ratio under h2load a second process is not worth its memory."""


class Row(NamedTuple):
    """Questions per second of one load on servers of one and of two processes."""

    batching: bool
    load: str
    one: float
    two: float

    @property
    def gain(self) -> float:
        """Ratio of two processes to one."""
        return self.two / self.one

    def __str__(self) -> str:
        mode = "batching" if self.batching else "no batching"
        return f"{self.load}, {mode}: {self.one:,.0f} and {self.two:,.0f}: {self.gain:.2f} times"


def main() -> int:
    """Runs the benchmark; returns the exit code."""
    parser = argument_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    h2load.check_installed()
    [base] = export_recipes(["default"], options.runs).values()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(base, Path(folder), options.rounds)
    values = [{**row._asdict(), "gain": row.gain} for row in rows]
    result = {"command": "make bench-workers", "cpus": os.cpu_count(), "rounds": options.rounds}
    write_json(options.out / "workers.json", {**result, "rows": values})
    print(*rows, sep="\n")
    return int(any(row.gain < MIN_GAIN for row in rows if row.load == "h2load"))


def measure(base: Path, folder: Path, rounds: int) -> list[Row]:
    """Measures all servers in turns, so that other load on the machine affects all of them."""
    samples: dict[tuple[bool, str, int], list[float]] = {}
    (folder / "batching.txt").write_text(BATCHING)
    for number in range(rounds):
        for batching in (False, True):
            for processes in PROCESSES:
                log(f"round {number + 1}/{rounds}: {processes} processes, batching: {batching}")
                for load, rate in sample(base, folder, processes, batching=batching).items():
                    samples.setdefault((batching, load, processes), []).append(rate)
    median = {key: statistics.median(rates) for key, rates in samples.items()}
    return [
        Row(batching, load, median[batching, load, 1], median[batching, load, 2])
        for batching in (False, True)
        for load in LOADS
    ]


def sample(base: Path, folder: Path, processes: int, *, batching: bool) -> dict[str, float]:
    """Starts a server and measures both loads."""
    flags = (*FLAGS, f"--server_processes={processes}")
    if batching:
        flags += ("--enable_batching", f"--batching_parameters_file={folder / 'batching.txt'}")
    server = servers.Server.launch(base, folder, flags=flags)
    try:
        server.wait_until_open()
        message = encode("seq2sum", questions(1, 0))
        with grpc.insecure_channel(server.target) as channel:  # h2load does not see errors
            channel.unary_unary(METHOD)(message, timeout=60, wait_for_ready=True)
        found = h2load.measure(server.port, message, callers=CALLERS, folder=folder)
        assert not found.failed, found
        return {"h2load": found.calls_per_second, "AsyncClient": asyncio.run(calls(server.target))}
    finally:
        server.stop()


async def calls(target: str) -> float:
    """Returns the calls per second of the asyncio client."""
    async with seq2sum.AsyncClient(target, max_in_flight=CALLERS) as client:
        finished = 0
        end = time.monotonic() + h2load.SECONDS

        async def caller() -> None:
            nonlocal finished
            while time.monotonic() < end:
                await client.add("53+42")
                finished += 1

        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        return finished / h2load.SECONDS


if __name__ == "__main__":
    sys.exit(main())
