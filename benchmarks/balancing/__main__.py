"""Sends calls while replicas are killed, restarted, added and removed: `make soak-balancing`.

Three servers, later four, share two cores with the callers. Calls are balanced by Envoy, with the
configuration that is shipped, and by gRPC's round_robin. Exits with 1 if a call fails that Envoy
or the SDK should have retried.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import seq2sum
from deploy.balancing_load import Load
from deploy.balancing_replicas import Replicas, docker_name_server
from deploy.envoy_process import Envoy
from support import processes
from support.dns_server import NameServer

from benchmarks.balancing.report import BalancerRun
from benchmarks.pictures.results import write_results
from benchmarks.support.output import argument_parser, exit_code, log
from benchmarks.support.trials import export_recipes

RECIPE = "fast"
PAUSE = 5.0
"""Seconds between two changes of the replicas."""
TIMEOUT = 10.0
NO_RETRY, RETRY = seq2sum.Retry(max_attempts=1), seq2sum.Retry()
ENVOY = "Envoy with its own retries"
ROUND_ROBIN = "round_robin with the SDK's retries"
NO_RETRIES = "round_robin without retries"


def main() -> int:
    """Runs all balancers; returns the exit code."""
    options = argument_parser(__doc__).parse_args()
    version = export_recipes([RECIPE], options.runs)[RECIPE] / "1"
    try:
        with tempfile.TemporaryDirectory(prefix="balancing-") as folder:
            runs = run_all(Path(folder), version)
    finally:
        processes.close()
    values = {"command": "make soak-balancing", "balancers": [run.to_json() for run in runs]}
    write_results(options.out, "balancing", values)
    return exit_code((run.passed, run.summary) for run in runs)


def run_all(folder: Path, version: Path) -> list[BalancerRun]:
    """Runs all balancers on the same servers, one after the other."""
    with (
        Replicas((1, 2, 3, 4), folder=folder, version=version) as replicas,
        docker_name_server([]) as names,
    ):
        by_name = names.target(replicas.port)
        reset(replicas, names)
        with Envoy(
            folder, replica_port=replicas.port, name_server_port=names.port, short_intervals=False
        ) as envoy:
            by_envoy = run(ENVOY, envoy.target, NO_RETRY, replicas, names, retries=envoy.retries)
        return [
            by_envoy,
            run(ROUND_ROBIN, by_name, RETRY, replicas, names),
            run(NO_RETRIES, by_name, NO_RETRY, replicas, names),
        ]


def run(
    name: str,
    target: str,
    retry: seq2sum.Retry,
    replicas: Replicas,
    names: NameServer,
    *,
    retries: Callable[[], int] | None = None,
) -> BalancerRun:
    """Sends calls to a target while replicas change."""
    reset(replicas, names)
    events: list[tuple[float, str]] = []
    start = time.monotonic()
    with Load(target, retry=retry, timeout=TIMEOUT) as load:
        for event, change in changes(replicas, names):
            time.sleep(PAUSE)
            events.append((time.monotonic() - start, event))
            change()
            log(f"{name}: {event}; {len(load.failed)} of {len(load.calls):,} calls failed")
        time.sleep(PAUSE)
    return BalancerRun(
        name,
        may_fail=name == NO_RETRIES,
        start=start,
        calls=load.calls,
        events=events,
        retries=retries() if retries else None,
    )


def reset(replicas: Replicas, names: NameServer) -> None:
    """Starts all four replicas, and lets the name resolve to three of them."""
    replicas.run(1, 2, 3, 4)
    names.names.addresses = replicas.hosts(1, 2, 3)


def changes(replicas: Replicas, names: NameServer) -> list[tuple[str, Callable[[], object]]]:
    """Returns the changes of the replicas in order."""

    def resolve_to(*numbers: int) -> None:
        names.names.addresses = replicas.hosts(*numbers)

    return [
        ("2 killed", replicas[2].kill),
        ("2 restarted", replicas[2].start),
        ("4 added", lambda: resolve_to(1, 2, 3, 4)),
        ("1 killed", replicas[1].kill),
        ("1 restarted", replicas[1].start),
        ("4 removed", lambda: resolve_to(1, 2, 3)),
    ]


if __name__ == "__main__":
    sys.exit(main())
