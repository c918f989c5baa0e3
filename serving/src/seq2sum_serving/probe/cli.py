"""`seq2sum-probe`: the edge between a command line and rounds."""

from __future__ import annotations

import argparse
import io
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from seq2sum_serving.console import output
from seq2sum_serving.deployment.cli_options import HISTORY, TRAFFIC
from seq2sum_serving.deployment.errors import Exit, RolloutError
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.deployment.replicas import Replicas
from seq2sum_serving.deployment.tls_options import tls_from_options
from seq2sum_serving.deployment.traffic import TrafficFile
from seq2sum_serving.probe import exporter, options, report
from seq2sum_serving.probe.event_counter import Ledger
from seq2sum_serving.probe.exporter import Published
from seq2sum_serving.probe.findings import problems
from seq2sum_serving.probe.prober import Asking, Files, Lookout

NAME = "seq2sum-probe"
INTERRUPTED = 130
"""What a shell takes a command for that was ended by Ctrl-C. A single round that was interrupted
has not found that all is well."""
MOST_AT_A_TIME = 256
"""Of what is asked: all of some sixty replicas. Threads are begun when they are needed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Looks once or without an end; gives back the exit code."""
    for stream in (sys.stdout, sys.stderr):  # what a terminal has no letters for is shown as ?
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    chosen = options.parsed(None if arguments is None else list(arguments))
    try:
        with prepared(chosen) as lookout:
            return once(lookout, chosen) if chosen.once else export(lookout, chosen)
    except RolloutError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return int(error.code)
    except KeyboardInterrupt:
        return INTERRUPTED if chosen.once else int(Exit.DONE)


@contextmanager
def prepared(chosen: argparse.Namespace) -> Iterator[Lookout]:
    """What looks at the deployment that the options name; nothing is read or asked yet.

    Raises:
        UsageError: The options make no sense.
        Failed: The name of the replicas does not resolve.
    """
    tls, beside = tls_from_options(chosen), chosen.config.parent
    files = Files(
        ModelConfigFile(chosen.config, chosen.model),
        chosen.base_path,
        TrafficFile(chosen.traffic or beside / TRAFFIC),
        Ledger(chosen.history or beside / HISTORY, chosen.model),
    )
    asking = Asking(chosen.labels, chosen.questions, chosen.timeout)
    with (
        ThreadPoolExecutor(MOST_AT_A_TIME) as pool,
        Replicas(chosen.targets, chosen.model, tls=tls) as fleet,
    ):
        yield Lookout(files, fleet, pool, asking=asking, tls=tls)


def once(lookout: Lookout, chosen: argparse.Namespace) -> int:
    """One round: what it saw on standard output, what is wrong on standard error."""
    sight = lookout.look(0)
    found = problems(sight)
    for problem in found:
        print(f"{NAME}: {'note: ' if problem.note else ''}{problem.text}", file=sys.stderr)
    code = int(Exit.FAILED if any(not problem.note for problem in found) else Exit.DONE)
    with output.optional():
        if chosen.json:
            print(json.dumps(report.as_json(sight, found, model=lookout.model) | {"exit": code}))
        else:
            output.console().print(report.table(sight))
    return code


def export(lookout: Lookout, chosen: argparse.Namespace) -> int:
    """Rounds, until a signal ends them.

    Raises:
        Failed: It cannot listen on its port.
        KeyboardInterrupt: It was told to end.
    """
    # As Ctrl-C: whatever is under way is left, and every context on the way out closes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    published = Published(lookout.model)
    with exporter.page(published, host=chosen.host, port=chosen.port) as address:
        _tell(f"metrics at {address}, a round every {chosen.every:g} s")
        exporter.watch(lookout, published, every=chosen.every, tell=_tell)
    return int(Exit.DONE)


def _tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
