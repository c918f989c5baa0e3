"""Puts a server under load, version swaps and abuse for minutes: `make soak`.

After a warm-up all load pauses, and threads and file descriptors are counted; then load, changes
and abuse run concurrently for the given time, and pause again. Exits with 1 if a call fails that
should not, if memory grows, or if threads or file descriptors leak.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC logs every dropped connection

from conformance.server_under_test import ServerUnderTest
from support import processes

from benchmarks.pictures.results import write_results
from benchmarks.soak import abuse, callers, changes
from benchmarks.soak.context import SPEC, Context
from benchmarks.soak.report import Soak, calls_table
from benchmarks.support.output import argument_parser, exit_code, log
from benchmarks.support.process_stats import ProcessStats, process_stats

WARM_UP_SECONDS = 60.0
PAUSE_SECONDS = 12.0
"""Longer than the server gives connections to close."""
SAMPLE_SECONDS = 1.0
LOG_EVERY = 5
"""Samples between two lines of progress."""

Actor = Callable[[Context], None]
ACTORS: tuple[Actor, ...] = (*callers.ACTORS, *changes.ACTORS, *abuse.ACTORS)


def main() -> int:
    """Runs the soak; returns the exit code."""
    parser = argument_parser(__doc__, runs=None)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        subject = ServerUnderTest(SPEC, Path(folder) / "server", processes.start_process)
        try:
            assert subject.wait_until_open(), subject.log.read_text()
            soak = run(subject, options.minutes)
        finally:
            subject.stop()
    write_results(options.out, "soak", soak.to_json())
    print(calls_table(soak), end="\n\n")
    return exit_code([*soak.checks(), *((False, example) for example in soak.examples)])


def run(subject: ServerUnderTest, minutes: float) -> Soak:
    """Runs warm-up, pause, load and pause, and stops the server."""
    start, context = time.monotonic(), Context(subject)

    def sample() -> ProcessStats:
        return process_stats(subject.process.pid, time.monotonic() - start)

    with acting(context):
        list(samples(sample, WARM_UP_SECONDS))
    callers.occupy_all_threads(context)
    time.sleep(PAUSE_SECONDS)
    before, taken = sample(), []
    with acting(context):
        for one in samples(sample, minutes * 60):
            taken.append(one)
            if len(taken) % LOG_EVERY == 0:
                log_progress(context, one)
    time.sleep(PAUSE_SECONDS)
    after = sample()
    subject.stop()
    counts, examples = context.counter.counts(), context.counter.examples()
    return Soak(minutes, counts, examples, taken, before, after, subject.process.poll())


@contextmanager
def acting(context: Context) -> Iterator[None]:
    """Runs each actor in a thread until the `with` block ends."""
    context.over.clear()
    threads = [threading.Thread(target=guarded, args=(actor, context)) for actor in ACTORS]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        context.over.set()
        for thread in threads:
            thread.join()


def guarded(actor: Actor, context: Context) -> None:
    """Runs an actor; counts an exception as a failed call, since the soak needs every actor."""
    try:
        actor(context)
    except Exception as error:  # noqa: BLE001 any error is counted
        context.counter.failed(f"soak actor {actor.__name__}", repr(error))


def samples(sample: Callable[[], ProcessStats], seconds: float) -> Iterator[ProcessStats]:
    """Samples the server every second."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(SAMPLE_SECONDS)
        yield sample()


def log_progress(context: Context, sample: ProcessStats) -> None:
    """Logs counts and the latest sample."""
    counts = {one.kind: one for one in context.counter.counts()}
    swaps = counts["swap"].ok if "swap" in counts else 0
    reloads = counts["reload"].ok if "reload" in counts else 0
    ok = sum(one.ok for one in counts.values())
    failed = sum(one.failed for one in counts.values())
    minutes, seconds = divmod(int(sample.second), 60)
    log(
        f"{minutes}:{seconds:02}  {ok:,} calls ok, {failed:,} failed  {swaps} swaps, "
        f"{reloads} reloads  {sample.resident:.0f} MB, {sample.threads} threads, "
        f"{sample.file_descriptors} file descriptors"
    )


if __name__ == "__main__":
    sys.exit(main())
