"""`seq2sum-rollout`: the edge between a command line and a deployment."""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from seq2sum_serving.console import output
from seq2sum_serving.deployment.cli_options import HISTORY, TRAFFIC
from seq2sum_serving.deployment.errors import RolloutError
from seq2sum_serving.deployment.event_log import EventLog
from seq2sum_serving.deployment.model_config_file import ModelConfigFile
from seq2sum_serving.deployment.model_store import ModelStore
from seq2sum_serving.deployment.replicas import Replicas
from seq2sum_serving.deployment.tls_options import tls_from_options
from seq2sum_serving.deployment.traffic import TrafficFile
from seq2sum_serving.gates import policy
from seq2sum_serving.gates.metric_providers.prometheus import Prometheus
from seq2sum_serving.rollout import options
from seq2sum_serving.rollout.command_context import Task
from seq2sum_serving.rollout.commands import VERBS
from seq2sum_serving.rollout.executor import Deployment, Pace

INTERRUPTED = 130
"""What a shell takes a command for that was ended by Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; gives back the exit code."""
    for stream in (sys.stdout, sys.stderr):  # what a terminal has no letters for is shown as ?
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    chosen = options.parser().parse_args(arguments)
    began, answer = time.monotonic(), {"verb": chosen.verb}
    task: Task | None = None
    try:
        with prepared(chosen) as task:
            code = int(VERBS[chosen.verb](task))
    except RolloutError as error:
        code = int(error.code)
        answer["error"] = str(error)
        print(f"seq2sum-rollout: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        code = INTERRUPTED
        answer["error"] = "interrupted"
        print(
            "seq2sum-rollout: interrupted; everything is as the last line says. The same command "
            "goes on from there",
            file=sys.stderr,
        )
    if chosen.json:
        told = answer | (task.answer if task else {}) | {"exit": code}
        with output.optional():
            print(json.dumps(told | {"seconds": round(time.monotonic() - began, 3)}))
    return code


@contextmanager
def prepared(chosen: argparse.Namespace) -> Iterator[Task]:
    """The deployment that the options name; nothing is asked yet, but every file is read.

    Raises:
        UsageError: The options name what cannot be used.
    """
    limits = policy.read(chosen.policy) if chosen.policy else policy.default()
    record = ModelConfigFile(chosen.config, chosen.model)
    beside = chosen.config.parent
    base = chosen.base_path or Path(record.base_path())
    with Replicas(chosen.targets, chosen.model, tls=tls_from_options(chosen)) as fleet:
        deployment = Deployment(
            record,
            fleet,
            ModelStore(base),
            TrafficFile(chosen.traffic or beside / TRAFFIC),
            EventLog(chosen.history or beside / HISTORY),
            pace=Pace(limits.load.timeout, limits.traffic.settle),
            tell=_tell,
        )
        prometheus = Prometheus(chosen.prometheus) if chosen.prometheus else None
        yield Task(chosen, deployment, limits, prometheus, output.console(quiet=chosen.json))


def _tell(line: str) -> None:
    """What is done, as it is done: on standard error, so that standard output is the result's."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
