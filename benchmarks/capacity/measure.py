"""Measures memory, bytes per call and metrics of a server: `make bench-capacity`.

Writes capacity.json. The throughput that capacity is computed from is measured by the other
benchmarks.
"""

from __future__ import annotations

import asyncio
import sys
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import Any

import seq2sum
from seq2sum.addition import contract
from support import servers

from benchmarks.capacity import memory, wire
from benchmarks.support.machine import machine
from benchmarks.support.output import ROOT, argument_parser, log, write_json
from benchmarks.support.trials import export_recipes, newest_version

RECIPES = ("default", "fast")
CONFIG = ROOT / "serving" / "config"
METRICS = "/monitoring/prometheus/metrics"
VARIANTS = {
    "off": ("--tensorflow_intra_op_parallelism=1",),
    "on": (
        "--tensorflow_intra_op_parallelism=1",
        "--enable_batching=true",
        f"--batching_parameters_file={CONFIG / 'batching.config'}",
    ),
}
"""Batching off and on, otherwise as in production."""
BURSTS = (8, 32, 96)
"""Concurrent calls in each burst; larger bursts need the same additional memory per call."""
ROWS = (1, 32, 512, 4096)


def main() -> int:
    """Measures everything; returns the exit code."""
    parser = argument_parser(__doc__)
    parser.add_argument("--bursts", type=int, nargs="*", default=BURSTS, help="calls of each burst")
    parser.add_argument("--note", help="stored with the figures, for example about other load")
    options = parser.parse_args()
    folder = options.runs.absolute()
    bases = export_recipes(RECIPES, folder)
    log("memory by number of versions")
    by_versions = {
        name: [asdict(each) for each in memory.by_versions(newest_version(base), folder)]
        for name, base in bases.items()
    }
    log("memory in bursts")
    bursts = memory.bursts(bases["default"], folder, VARIANTS, options.bursts)
    log("bytes and metrics")
    result = {
        "command": "make bench-capacity",
        "machine": machine(options.note),
        "memory": by_versions,
        "bursts": {"rows": memory.ROWS, "found": [asdict(each) for each in bursts]},
        **measure_calls(bases["default"], folder),
    }
    write_json(options.out / "capacity.json", result)
    return 0


def measure_calls(base: Path, folder: Path) -> dict[str, Any]:
    """Returns the sizes of calls in bytes, and the number of time series of a server."""
    flags = [f"--monitoring_config_file={CONFIG / 'monitoring.config'}"]
    server = servers.Server.launch(base, folder, flags=flags, rest=True)
    try:
        server.wait_until_open()
        sizes = [(rows, contract.DEFAULT.name) for rows in ROWS]
        calls = [
            asyncio.run(wire.measure(server.target, rows, signature=signature))
            for rows, signature in [*sizes, (ROWS[-1], contract.DETAILED.name)]
        ]
        with seq2sum.Client(server.target) as client:
            client.versions()
            client.describe()
        return {
            "calls": [asdict(each) for each in calls],
            "series": count_series(server.url),
        }
    finally:
        server.stop()


def count_series(url: str) -> int:
    """Returns the number of time series that a server exports."""
    with urllib.request.urlopen(url + METRICS, timeout=30) as page:
        lines = page.read().decode().splitlines()
    return sum(1 for line in lines if line and not line.startswith("#"))


if __name__ == "__main__":
    sys.exit(main())
