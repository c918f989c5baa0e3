"""What capacity is computed from beside rates: memory, bytes and metrics: `make bench-capacity`.

Writes docs/capacity.json. The rates are those of the other benchmarks.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import Any

import capacity_memory
import capacity_wire
import seq2sum
import servers
import trials
from batching import machine, told
from seq2sum import contract
from server import version
from trials import Trial

from client import exported

RECIPES = ("default", "fast")
CONFIG = Path(__file__).parents[2].resolve() / "serving" / "config"
METRICS = "/monitoring/prometheus/metrics"
WAYS = {
    "off": ("--tensorflow_intra_op_parallelism=1",),
    "on": (
        "--tensorflow_intra_op_parallelism=1",
        "--enable_batching=true",
        f"--batching_parameters_file={CONFIG / 'batching.config'}",
    ),
}
"""Batching off and on, otherwise as in production."""
BURSTS = (8, 32, 96)
"""Of the largest calls; what they add for each caller is the same from there on."""
ROWS = (1, 32, 512, 4096)


def main() -> int:
    """Measures all of it; gives back the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=Path, default=Path("runs/bench-training"))
    options.add_argument("--out", type=Path, default=Path("docs"))
    options.add_argument("--bursts", type=int, nargs="*", default=BURSTS, help="calls in each")
    options.add_argument("--note", help="kept with the figures, for example what else ran")
    chosen = options.parse_args()
    folder = chosen.runs.absolute()
    list(trials.outcomes([Trial(name, name) for name in RECIPES], folder, jobs=1))
    bases = {name: exported(folder / name, folder / "models" / name) for name in RECIPES}
    told("memory by versions")
    memory = {
        name: [asdict(each) for each in capacity_memory.by_versions(version(base), folder)]
        for name, base in bases.items()
    }
    told("memory in bursts")
    bursts = capacity_memory.bursts(bases["default"], folder, WAYS, chosen.bursts)
    told("bytes and metrics")
    result = {
        "command": "make bench-capacity",
        "machine": machine() | ({"note": chosen.note} if chosen.note else {}),
        "memory": memory,
        "bursts": {"rows": capacity_memory.ROWS, "found": [asdict(each) for each in bursts]},
        **asked(bases["default"], folder),
    }
    trials.write(chosen.out / "capacity.json", result)
    return 0


def asked(base: Path, folder: Path) -> dict[str, Any]:
    """Bytes of calls, metrics of one version, and streams of a connection."""
    flags = [f"--monitoring_config_file={CONFIG / 'monitoring.config'}"]
    server = servers.Server.launch(base, folder, flags=flags, rest=True)
    try:
        server.wait_until_open()
        weights = [asyncio.run(capacity_wire.weight(server.target, rows)) for rows in ROWS]
        detailed = contract.DETAILED.name
        weights.append(
            asyncio.run(capacity_wire.weight(server.target, ROWS[-1], signature=detailed))
        )
        with seq2sum.Client(server.target) as client:
            client.versions()
            client.describe()
        return {
            "weights": [asdict(each) for each in weights],
            "series": series(server.url),
            "streams of a connection": capacity_wire.streams(server.target),
        }
    finally:
        server.stop()


def series(url: str) -> int:
    """Lines with a value that a server's metrics have."""
    with urllib.request.urlopen(url + METRICS, timeout=30) as page:
        lines = page.read().decode().splitlines()
    return sum(1 for line in lines if line and not line.startswith("#"))


if __name__ == "__main__":
    sys.exit(main())
