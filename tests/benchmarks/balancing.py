"""Calls shared out while replicas are killed, started and added: `make soak-balancing`.

Three servers and a fourth on the same two cores as the callers, with the shipped configuration of
Envoy as it is. It fails if a call fails that what shares them out should have saved.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import processes
import seq2sum
import trials
from balancing_report import Way, picture
from deploy.balancing_load import Load
from deploy.balancing_names import NameServer
from deploy.balancing_replicas import Replicas
from deploy.envoy_process import Envoy
from trials import Trial

import client

RECIPE = "fast"
PACE = 5.0
"""Seconds between two things that are done to replicas."""
TIMEOUT = 10.0
ONCE, AGAIN = seq2sum.Retry(attempts=1), seq2sum.Retry()
BY_ENVOY = "Envoy, its retries alone"
BY_ITSELF = "round_robin with the SDK's retries"
BARE = "round_robin without retries"


def main() -> int:
    """Runs every way in turn; gives back the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=Path, default=Path("runs/bench-training"))
    options.add_argument("--out", type=Path, default=Path("docs"))
    chosen = options.parse_args()
    for _ in trials.outcomes([Trial(RECIPE, RECIPE)], chosen.runs, jobs=1):
        pass  # it tells by itself
    version = client.exported(chosen.runs / RECIPE, chosen.runs / "models" / RECIPE) / "1"
    try:
        with tempfile.TemporaryDirectory(prefix="balancing-") as folder:
            ways = run(Path(folder), version)
    finally:
        processes.close()
    values = {"command": "make soak-balancing", "ways": [way.row() for way in ways]}
    trials.write(chosen.out / "balancing.json", values)
    (chosen.out / "balancing.svg").write_text(picture(ways))
    for way in ways:
        print("fine  " if way.good else "WRONG ", way.verdict)
    return 0 if all(way.good for way in ways) else 1


def run(folder: Path, version: Path) -> list[Way]:
    """All ways, on the same servers."""
    with (
        Replicas((1, 2, 3, 4), folder=folder, version=version) as replicas,
        NameServer([]) as names,
    ):
        by_name = names.target(replicas.port)
        settle(replicas, names)
        with Envoy(
            folder, replica_port=replicas.port, name_server_port=names.port, hurry=False
        ) as envoy:
            balanced = asked(BY_ENVOY, envoy.target, ONCE, replicas, names, retries=envoy.retries)
        return [
            balanced,
            asked(BY_ITSELF, by_name, AGAIN, replicas, names),
            asked(BARE, by_name, ONCE, replicas, names),
        ]


def asked(
    name: str,
    target: str,
    retry: seq2sum.Retry,
    replicas: Replicas,
    names: NameServer,
    *,
    retries: Callable[[], int] = lambda: 0,
) -> Way:
    """What comes of calls to a target while replicas are killed, started, added and taken away."""
    settle(replicas, names)
    events: list[tuple[float, str]] = []
    began = time.monotonic()
    with Load(target, retry=retry, timeout=TIMEOUT) as load:
        for what, change in changes(replicas, names):
            time.sleep(PACE)
            events.append((time.monotonic() - began, what))
            change()
            tell(f"{name}: {what}; {len(load.failed)} of {len(load.calls):,} calls failed")
        time.sleep(PACE)
    return Way(
        name,
        none_may_fail=name != BARE,
        began=began,
        calls=load.calls,
        events=events,
        retries=retries() if name == BY_ENVOY else None,
    )


def settle(replicas: Replicas, names: NameServer) -> None:
    """Three replicas run and have the name; the fourth runs and does not."""
    replicas.run(1, 2, 3, 4)
    names.names.addresses = replicas.hosts(1, 2, 3)


def changes(replicas: Replicas, names: NameServer) -> list[tuple[str, Callable[[], object]]]:
    """What is done to replicas, one after the other."""

    def name(*numbers: int) -> None:
        names.names.addresses = replicas.hosts(*numbers)

    return [
        ("2 killed", replicas[2].kill),
        ("2 back", replicas[2].start),
        ("4 added", lambda: name(1, 2, 3, 4)),
        ("1 killed", replicas[1].kill),
        ("1 back", replicas[1].start),
        ("4 taken away", lambda: name(1, 2, 3)),
    ]


def tell(line: str) -> None:
    """Says what goes on."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
