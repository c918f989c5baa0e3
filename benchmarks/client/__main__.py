"""Measures each style of calling a server, and the cost of the client: `make bench-client`.

A server process serves the recipe `fast` with the native gRPC server: a slower one would hide the
client's cost.
The styles run in turn, each in a fresh process, for several rounds; medians are compared. CPU time
is measured in the client and in the server. Single calls are compared with raw gRPC in one process.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from typing import Any, NamedTuple

from support import servers

from benchmarks.client import call_cost, call_styles
from benchmarks.client.call_cost import Cost
from benchmarks.client.footprint import IMPORTS, Footprint, footprint
from benchmarks.pictures.client import NAMES
from benchmarks.pictures.results import write_results
from benchmarks.support.machine import machine
from benchmarks.support.markdown import table
from benchmarks.support.output import ROOT, Target, argument_parser, log
from benchmarks.support.trials import export_recipes

RECIPE = "fast"
FLAGS = ("--grpc_front=native",)
COST_ROUNDS = 40
"""Slices of each style in the comparison with raw gRPC."""
MAX_COST = 1.3
"""Target for the client CPU of a single call, relative to raw gRPC."""
MIN_RATIOS = {
    ("tasks_coalesced", "tasks"): 10,
    ("threads_coalesced", "threads"): 10,
}
"""Target for the throughput of the first style relative to the second."""
FASTEST = ("add_many", "add_stream", "add_columns", "stream_columns")
QUESTIONS_PER_SECOND = 500_000
"""Target for each of the `FASTEST` styles, with the server on the same two cores."""
SIZE_RATIO, IMPORT_RATIO = 80, 20
"""Targets: tensorflow-serving-api's installed size and import time, divided by the client's."""


class Measured(NamedTuple):
    """The results of one style: medians over the rounds."""

    style: str
    questions_per_second: float
    client_cpu_microseconds: float
    """Per question."""
    server_cpu_microseconds: float
    """Per question."""


def main() -> int:
    """Runs the benchmark; returns the exit code."""
    parser = argument_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.5, help="per style and round")
    options = parser.parse_args()
    base = export_recipes([RECIPE], options.runs)[RECIPE]
    described = machine()
    server = servers.Server.launch(base, options.runs, flags=FLAGS)
    try:
        server.wait_until_open()
        compared = measure_costs(server)
        found = measure(server, rounds=options.rounds, seconds=options.seconds)
    finally:
        server.stop()
    costs = {package: footprint(package) for package in IMPORTS}
    result = {
        "recipe": RECIPE,
        "command": "make bench-client",
        "machine": described,
        "call_cost": [cost._asdict() for cost in compared],
        "styles": [row._asdict() for row in found],
        "footprint": {package: cost._asdict() for package, cost in costs.items()},
    }
    write_results(options.out, "client", result)
    print(costs_table(compared), end="\n\n")
    print(styles_table(found), end="\n\n")
    print(footprints_table(costs), end="\n\n")
    print("\n".join(map(str, targets(found, compared, costs))))
    return 0


def measure(server: servers.Server, *, rounds: int, seconds: float) -> list[Measured]:
    """Runs all styles in turn, so that other load on the machine affects all of them."""
    samples: dict[str, list[Measured]] = {style: [] for style in call_styles.STYLES}
    for number in range(rounds):
        for style, group in samples.items():
            log(f"round {number + 1}/{rounds}: {NAMES[style]}")
            group.append(measure_style(server, style, seconds))
    return [
        Measured(style, *(statistics.median(each[i] for each in group) for i in (1, 2, 3)))
        for style, group in samples.items()
    ]


def measure_costs(server: servers.Server) -> list[Cost]:
    """Compares the client CPU of single calls with raw gRPC, in a fresh process."""
    log("single calls and raw gRPC")
    return [Cost(**row) for row in run(call_cost.__name__, server.target, str(COST_ROUNDS))]


def measure_style(server: servers.Server, style: str, seconds: float) -> Measured:
    """Runs one style once, in a fresh process."""
    arguments = style, server.target, str(server.process.pid), str(seconds)
    questions, wall, cpu, server_cpu = run(call_styles.__name__, *arguments)
    return Measured(style, questions / wall, cpu / questions * 1e6, server_cpu / questions * 1e6)


def run(module: str, *arguments: str) -> Any:
    """Runs a module; returns the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    return json.loads(done.stdout.splitlines()[-1])


def ratio(found: list[Measured], style: str, other: str) -> float:
    """Returns the throughput of a style relative to another."""
    rates = {row.style: row.questions_per_second for row in found}
    return rates[style] / rates[other]


def styles_table(found: list[Measured]) -> str:
    """Returns a Markdown table with a row for each style."""
    return table(
        ("call style", "questions/s", "× upstream", "client CPU, µs", "server CPU, µs"),
        (
            (
                NAMES[row.style],
                f"{row.questions_per_second:,.0f}",
                f"{ratio(found, row.style, 'upstream_single'):,.1f}",
                f"{row.client_cpu_microseconds:,.2f}",
                f"{row.server_cpu_microseconds:,.2f}",
            )
            for row in found
        ),
    )


def costs_table(compared: list[Cost]) -> str:
    """Returns a Markdown table with a row for each style of single calls."""
    return table(
        ("single calls", "client CPU, µs", "× raw gRPC"),
        ((row.style, f"{row.microseconds:,.0f}", f"{row.ratio:.2f}") for row in compared),
    )


def footprints_table(costs: dict[str, Footprint]) -> str:
    """Returns a Markdown table with a row for each package."""
    return table(
        ("package", "installed", "import", "memory"),
        (
            (
                package,
                f"{cost.megabytes:,.0f} MB",
                f"{cost.cpu_seconds:.2f} CPU-s",
                f"{cost.resident:,.0f} MB",
            )
            for package, cost in costs.items()
        ),
    )


def targets(
    found: list[Measured], compared: list[Cost], costs: dict[str, Footprint]
) -> list[Target]:
    """Returns all targets with the measured values."""
    ours, upstream = (costs[name] for name in IMPORTS)
    rates = {row.style: row.questions_per_second for row in found}
    return [
        *(
            Target(
                f"client CPU of {row.baseline}, relative to {row.style}",
                1 / row.ratio,
                1 / MAX_COST,
            )
            for row in compared
            if row.style != row.baseline
        ),
        *(
            Target(f"{NAMES[style]}, relative to {NAMES[other]}", ratio(found, style, other), least)
            for (style, other), least in MIN_RATIOS.items()
        ),
        *(
            Target(f"{NAMES[style]}, questions per second", rates[style], QUESTIONS_PER_SECOND)
            for style in FASTEST
        ),
        Target("times smaller when installed", upstream.megabytes / ours.megabytes, SIZE_RATIO),
        Target("times less CPU to import", upstream.cpu_seconds / ours.cpu_seconds, IMPORT_RATIO),
    ]


if __name__ == "__main__":
    sys.exit(main())
