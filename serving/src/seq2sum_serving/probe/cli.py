"""The command `seq2sum-probe`."""

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
from seq2sum_serving.deployment import targets
from seq2sum_serving.deployment.cli_options import HISTORY, ROUTES, TRAFFIC
from seq2sum_serving.deployment.errors import Exit, RolloutError
from seq2sum_serving.deployment.model_config_file import ModelConfigFile, only_model
from seq2sum_serving.deployment.replicas import Replicas
from seq2sum_serving.deployment.tls_options import tls_from_options
from seq2sum_serving.deployment.traffic import TrafficFile
from seq2sum_serving.probe import exporter, options, report
from seq2sum_serving.probe.event_counter import EventCounter
from seq2sum_serving.probe.findings import findings
from seq2sum_serving.probe.model_prober import ModelFiles, ModelProber, ProbeSettings
from seq2sum_serving.probe.prober import Prober

NAME = "seq2sum-probe"
INTERRUPTED = 130
"""The exit code of a shell for a command that Ctrl-C ended; an interrupted round proves nothing."""
MAX_THREADS = 256
"""Checks at the same time: enough for some sixty replicas. Threads start on demand."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one round, or the exporter until it is stopped, and returns the exit code."""
    for stream in (sys.stdout, sys.stderr):  # print ? for what the terminal cannot encode
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    chosen = options.parsed(None if arguments is None else list(arguments))
    try:
        with create_prober(chosen) as prober:
            return run_once(prober, chosen) if chosen.once else export(prober, chosen)
    except RolloutError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return int(error.code)
    except KeyboardInterrupt:
        return INTERRUPTED if chosen.once else int(Exit.DONE)


@contextmanager
def create_prober(chosen: argparse.Namespace) -> Iterator[Prober]:
    """Yields a prober of the deployment that the options name. It makes no calls yet.

    Raises:
        UsageError: The options are invalid, or `--model` is missing.
    """
    tls = tls_from_options(chosen)
    targets.validate(chosen.targets)
    settings = ProbeSettings(chosen.labels, chosen.requests, chosen.timeout)
    models = chosen.model
    if models is None and (chosen.base_path or chosen.traffic or chosen.history):
        models = [only_model(chosen.config)]  # these files are of one model

    def create(model: str) -> ModelProber:
        config = ModelConfigFile(chosen.config, model)
        files = ModelFiles(
            config,
            chosen.base_path,
            TrafficFile(chosen.traffic or config.model_file(TRAFFIC)),
            config.model_file(ROUTES),
            EventCounter(chosen.history or config.model_file(HISTORY), model),
        )
        return ModelProber(files, Replicas(chosen.targets, model, tls=tls), settings)

    with (
        ThreadPoolExecutor(MAX_THREADS) as pool,
        Prober(models, chosen.config, create, pool, timeout=chosen.timeout, tls=tls) as prober,
    ):
        yield prober


def run_once(prober: Prober, chosen: argparse.Namespace) -> int:
    """Prints the result of one round to standard output and its findings to standard error."""
    observations = prober.run_round(0)
    found = findings(observations)
    for finding in found:
        print(f"{NAME}: {'note: ' if finding.note else ''}{finding.text}", file=sys.stderr)
    code = int(Exit.FAILED if any(not finding.note for finding in found) else Exit.DONE)
    with output.optional():
        if chosen.json:
            print(json.dumps(report.as_json(observations, found) | {"exit": code}))
        else:
            output.console().print(report.table(observations))
    return code


def export(prober: Prober, chosen: argparse.Namespace) -> int:
    """Runs rounds and serves their metrics until a signal arrives.

    Raises:
        Failed: The metrics cannot be served at the address.
        KeyboardInterrupt: SIGINT or SIGTERM arrived.
    """
    # Handled as Ctrl-C, so that open contexts are closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    collector = exporter.ObservationCollector(prober.models())
    with exporter.serve_metrics(collector, host=chosen.host, port=chosen.port) as url:
        _log(f"metrics at {url}, a round every {chosen.interval:g} s")
        exporter.run_rounds(prober, collector, interval=chosen.interval, log=_log)
    return int(Exit.DONE)


def _log(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
