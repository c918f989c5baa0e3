"""Measures the embedded server against the same graph called in process: `make bench-server`.

For each of `default` and `fast`, three processes take turns: the server, the same server with
`--enable_batching`, and a process that calls the graph's session with arrays of strings, from one
thread per concurrent call. Loads differ in questions per call and concurrent calls;
medians over the rounds are compared.

The load generator needs little CPU time (see benchmarks/load), but the server loses that time,
because both share the cores. So throughput is given both by wall time and by CPU time of the
process that runs the graph.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from support import servers

from benchmarks.load.generator import Load
from benchmarks.load.process import JsonProcess, LoadGenerator
from benchmarks.server import report
from benchmarks.server.report import BATCHING, LOADS, SERVER, SESSION, VARIANTS, Row
from benchmarks.support.output import argument_parser, log, write, write_json
from benchmarks.support.trials import export_recipes, newest_version

RECIPES = ("default", "fast")
MODEL = "seq2sum"


def main() -> int:
    """Runs the benchmark; returns the exit code."""
    parser = argument_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="per load and round")
    parser.add_argument("--recipes", nargs="+", default=RECIPES, choices=RECIPES)
    options = parser.parse_args()
    rows: list[Row] = []
    for name, base in export_recipes(options.recipes, options.runs).items():
        rows += measure(name, base, options.runs, rounds=options.rounds, seconds=options.seconds)
    targets = report.targets(rows)
    result = {
        "command": "make bench-server",
        "cpus": os.cpu_count(),
        "rounds": options.rounds,
        "rows": [row._asdict() for row in rows],
        "targets": [target._asdict() for target in targets],
    }
    write_json(options.out / "server.json", result)
    write(options.out / "server.svg", report.picture(rows))
    print(report.rows_table(rows), end="\n\n")
    print("\n".join(map(str, targets)))
    return 0


def measure(recipe: str, base: Path, logs: Path, *, rounds: int, seconds: float) -> list[Row]:
    """Measures all variants in turns, so that other load on the machine affects all of them."""
    samples: dict[tuple[str, int, int], list[Row]] = {}
    with ExitStack() as stack:
        generator = stack.enter_context(LoadGenerator())
        session = stack.enter_context(
            JsonProcess("benchmarks.server.session_load", str(newest_version(base)))
        )
        running = {
            SERVER: stack.enter_context(serve(base, logs)),
            BATCHING: stack.enter_context(serve(base, logs, "--enable_batching")),
        }
        for number in range(rounds):
            for load in LOADS:
                log(f"{recipe}, round {number + 1}/{rounds}: {report.load_name(load)}")
                for variant, loads in VARIANTS.items():
                    if load not in loads:
                        continue
                    rows, callers = load
                    if variant == SESSION:
                        rate, cpu = session.request(rows=rows, callers=callers, seconds=seconds)
                        client_cpu = 0.0
                    else:
                        rate, _, _, cpu, client_cpu = generator.sample(
                            running[variant], Load(MODEL, rows, callers), seconds
                        )
                    row = Row(recipe, variant, rows, callers, rate, cpu, client_cpu)
                    samples.setdefault((variant, *load), []).append(row)
    return [
        Row(*group[0][:4], *(statistics.median(each[i] for each in group) for i in (4, 5, 6)))
        for group in samples.values()
    ]


@contextmanager
def serve(base: Path, logs: Path, *flags: str) -> Iterator[servers.Server]:
    """Runs a server while the context is open."""
    server = servers.Server.launch(base, logs, flags=flags)
    try:
        yield server.wait_until_open()
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
