"""Measures the embedded server with both of its gRPC servers: `make bench-server`.

For `default` and `fast`, without and with the batching of production, all servers run at the same
time and take turns under each load, so that other load on the machine affects them alike. h2load
leaves the cores to the servers. The best round of each counts: interference only takes away.

With SEQ2SUM_SERVER_COMMAND, as in tests/support/servers.py, that server is measured too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
from seq2sum.protocol import predict_pb2
from support import processes, servers

from benchmarks.load.requests import METHOD, UNLIMITED, check_answers, encode, questions
from benchmarks.pictures.results import write_results
from benchmarks.server import report
from benchmarks.server.report import LOADS, Row
from benchmarks.support import h2load
from benchmarks.support.machine import machine
from benchmarks.support.output import ROOT, argument_parser, log
from benchmarks.support.process_stats import cpu_seconds
from benchmarks.support.trials import export_recipes

RECIPES = ("default", "fast")
MODEL = "seq2sum"
FLAGS = ("--tensorflow_intra_op_parallelism=1",)
BATCHING = (
    "--enable_batching",
    f"--batching_parameters_file={ROOT / 'serving' / 'config' / 'batching.config'}",
)


def main() -> int:
    """Runs the benchmark; returns the exit code."""
    parser = argument_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="per server, load and round")
    parser.add_argument("--recipes", nargs="+", default=RECIPES, choices=RECIPES)
    options = parser.parse_args()
    h2load.check_installed()
    rows: list[Row] = []
    described = machine()
    with tempfile.TemporaryDirectory() as folder:
        for name, base in export_recipes(options.recipes, options.runs).items():
            for batching in (False, True):
                with running(base, Path(folder), batching=batching) as found:
                    rows += measure(name, found, Path(folder), batching=batching, options=options)
    targets = report.targets(rows)
    result = {
        "command": "make bench-server",
        "machine": described,
        "rounds": options.rounds,
        "rows": [row._asdict() for row in rows],
        "targets": [target._asdict() for target in targets],
    }
    write_results(options.out, "server", result)
    print(report.rows_table(rows), end="\n\n")
    print("\n".join(map(str, targets)))
    return 0


@contextmanager
def running(base: Path, folder: Path, *, batching: bool) -> Iterator[dict[str, servers.Server]]:
    """Runs a server of each kind; yields them by name."""
    flags = (*FLAGS, *(BATCHING if batching else ()))
    embedded = processes.EMBEDDED_TEMPLATE
    kinds = {name: (embedded, (*flags, f"--grpc_front={name}")) for name in report.FRONTS}
    if not processes.TESTS_EMBEDDED_SERVER:
        kinds[report.OTHER] = processes.TEMPLATE, flags
    with ExitStack() as stack:
        found = {}
        for name, (template, own) in kinds.items():
            found[name] = servers.Server.launch(base, folder, flags=own, template=template)
            stack.callback(found[name].stop)
        yield {name: server.wait_until_open() for name, server in found.items()}


def measure(
    recipe: str,
    found: dict[str, servers.Server],
    folder: Path,
    *,
    batching: bool,
    options: argparse.Namespace,
) -> list[Row]:
    """Measures servers in turns under each load; returns the best round of each."""
    best: dict[tuple[str, int, int], Row] = {}
    for number in range(options.rounds):
        for rows, callers in LOADS:
            message = encode(MODEL, questions(rows, 0))
            for name, server in found.items():
                log(f"{recipe}, batching {batching}, round {number + 1}: {name} {rows} × {callers}")
                check(server, message, rows)
                before = cpu_seconds(server.process.pid)
                load = h2load.measure(
                    server.port, message, callers=callers, folder=folder, seconds=options.seconds
                )
                assert not load.failed, load
                cpu = 1e6 * (cpu_seconds(server.process.pid) - before) / (load.calls * rows)
                rate = load.calls_per_second * rows
                row = Row(
                    recipe, name, batching, rows, callers, rate,
                    1e3 * load.p50_seconds, 1e3 * load.p99_seconds, cpu,
                )  # fmt: skip
                key = (name, rows, callers)
                if key not in best or rate > best[key].questions_per_second:
                    best[key] = row
    return list(best.values())


def check(server: servers.Server, message: bytes, rows: int) -> None:
    """Asserts that a server answers a request: h2load does not see gRPC's errors."""
    with grpc.insecure_channel(server.target, UNLIMITED) as channel:
        call = channel.unary_unary(
            METHOD, response_deserializer=predict_pb2.PredictResponse.FromString
        )
        reply = call(message, timeout=60, wait_for_ready=True)
    check_answers(reply.outputs["answers"].string_val, rows, 0)


if __name__ == "__main__":
    sys.exit(main())
