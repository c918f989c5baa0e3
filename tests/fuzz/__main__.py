"""Seeded random inputs for one server, or for two that are compared: `make fuzz`.

The replies of one server must satisfy `invariants.py`; two servers must reply alike, except for
`intended_differences.py`. SEQ2SUM_SERVER_COMMAND starts a server to compare the embedded one with.
The exit code is 1 if there are findings.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it logs every broken connection

from fuzz import generation, report
from fuzz.campaign import Campaign, timed_cases
from fuzz.findings import Finding, Results
from fuzz.server import EMBEDDED, Server
from support import processes

PROGRESS_SECONDS = 10.0
"""Between two lines of progress."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the campaign; returns the exit code."""
    options = parse_arguments(arguments)
    seed = int(time.time()) if options.seed is None else options.seed
    kinds = frozenset(options.kind or generation.GENERATORS)

    numbers = itertools.count(1)

    def print_finding(finding: Finding) -> None:
        print(report.describe_finding(finding, next(numbers), options.reproduce), flush=True)

    print(f"seed {seed}; servers: {len(options.server)}", flush=True)
    results = Results(print_finding)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, contextlib.ExitStack() as stack:
        servers: list[Server] = []
        for number, template in enumerate(options.server):
            servers.append(Server(template, Path(folder) / str(number), tuple(options.flag)))
            stack.callback(servers[-1].stop)
        campaign = Campaign(servers, results, workers=options.workers)
        if options.case is not None:
            campaign.run(iter([generation.case(seed, options.case)]))
        else:
            with printing_progress(campaign):
                campaign.run(timed_cases(seed, options.minutes * 60, kinds))
    slowest = max(caller.slowest for caller in campaign.callers)
    print(report.summary(results, campaign.background_calls, slowest))
    return 1 if results.findings or report.rarely_accepted(results) else 0


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, help="default: the time")
    parser.add_argument("--case", type=int, help="send only the case with this number")
    parser.add_argument("--kind", action="append", choices=generation.GENERATORS, default=[])
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        help="command that starts a server, like SEQ2SUM_SERVER_COMMAND; twice to compare two",
    )
    parser.add_argument("--flag", action="append", default=[], help="further flag of the servers")
    parser.add_argument("--workers", type=int, default=4, help="inputs sent concurrently")
    options = parser.parse_args(arguments)
    if len(options.server) > 2:
        parser.error("--server: expected at most two servers")
    options.reproduce = []
    if options.server:
        given = " ".join(f"--server {shlex.quote(template)}" for template in options.server)
        options.reproduce = [f"FUZZ={shlex.quote(given)}"]
    else:
        other = os.environ.get(processes.VARIABLE)
        options.server = [EMBEDDED, other] if other else [EMBEDDED]
    return options


@contextlib.contextmanager
def printing_progress(campaign: Campaign) -> Iterator[None]:
    """Prints a line of progress at intervals."""
    start, finished = time.monotonic(), threading.Event()

    def run() -> None:
        while not finished.wait(PROGRESS_SECONDS):
            seconds = time.monotonic() - start
            line = report.progress(campaign.results, seconds, campaign.background_calls)
            print(line, file=sys.stderr, flush=True)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
