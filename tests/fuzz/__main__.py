"""Seeded random inputs for one server, or for two that are compared: `make fuzz`.

With one server, the answers must keep to the invariants of `invariants.py`; with two, both must
answer alike, but for the differences of `intended.py`. SEQ2SUM_SERVER_COMMAND names a server to
compare the embedded one with. The exit code is 1 if anything was found.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it logs every connection that breaks

from fuzz import generation, report
from fuzz.books import Books, Finding
from fuzz.campaign import Campaign, numbered
from fuzz.server import OURS, Server
from support import processes

TELL_EVERY = 10.0
"""Seconds between two lines of progress."""


def main(words: Sequence[str] | None = None) -> int:
    """Runs the campaign; returns the exit code."""
    options = arguments(words)
    seed = int(time.time()) if options.seed is None else options.seed
    kinds = frozenset(options.kind or generation.GENERATORS)
    found = 0

    def tell(finding: Finding) -> None:
        nonlocal found
        found += 1
        print(report.shown(finding, found, options.again), flush=True)

    print(f"seed {seed}; servers: {len(options.server)}", flush=True)
    books = Books(tell)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        servers: list[Server] = []
        try:
            for number, template in enumerate(options.server):
                servers.append(Server(template, Path(folder) / str(number), tuple(options.flag)))
            campaign = Campaign(servers, books, workers=options.workers)
            if options.case is not None:
                campaign.run(iter([generation.case(seed, options.case)]))
            else:
                with telling(campaign):
                    campaign.run(numbered(seed, options.minutes * 60, kinds))
        finally:
            for server in servers:
                server.stop()
    beside = sum(caller.asked for caller in campaign.callers)
    slowest = max(caller.slowest for caller in campaign.callers)
    print(report.summary(books, beside, slowest))
    return 1 if books.findings or report.rubbish(books) else 0


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, help="default: the time")
    parser.add_argument("--case", type=int, help="send only the case of this number")
    parser.add_argument("--kind", action="append", choices=generation.GENERATORS, default=[])
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        help="command that starts a server, as SEQ2SUM_SERVER_COMMAND; twice to compare two",
    )
    parser.add_argument("--flag", action="append", default=[], help="further flag of the servers")
    parser.add_argument("--workers", type=int, default=4, help="inputs sent at a time")
    options = parser.parse_args(words)
    if len(options.server) > 2:
        parser.error("more than two servers")
    if not options.server:
        other = os.environ.get(processes.VARIABLE)
        options.server = [OURS, other] if other else [OURS]
        options.again = []
    else:
        given = [f"--server {shlex.quote(template)}" for template in options.server]
        options.again = report.command({"FUZZ": " ".join(given)})
    return options


class telling:  # noqa: N801 a context manager, used as a function
    """Prints a line of progress now and then."""

    def __init__(self, campaign: Campaign) -> None:
        self._campaign, self._over = campaign, threading.Event()
        self._thread = threading.Thread(target=self._tell)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _tell(self) -> None:
        began = time.monotonic()
        while not self._over.wait(TELL_EVERY):
            beside = sum(caller.asked for caller in self._campaign.callers)
            line = report.progress(self._campaign.books, time.monotonic() - began, beside)
            print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
