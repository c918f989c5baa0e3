"""Computes the tables of docs/performance.md and README.md from the results: `make performance`.

As in docs/capacity.md, the text is written by hand, and the tables stand between comments.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.capacity.page import fill_in
from benchmarks.graph.report import short
from benchmarks.pictures.client import NAMES
from benchmarks.server.report import GRPCIO, LOADS, NATIVE, load_name
from benchmarks.support.markdown import table
from benchmarks.support.output import RESULTS, ROOT, write

BATCHES = (1, 32, 512, 4096)
"""Questions per call in the tables of the graph, of those that were measured."""
SINGLE_CALLS = {
    "raw grpc": "raw `grpc`",
    "add": "`Client.add`",
    "predict": "`ModelClient.predict`",
    "raw grpc.aio, 64 tasks": "raw `grpc.aio`, 64 tasks",
    "add, 64 tasks": "`AsyncClient.add`, 64 tasks",
    "predict, 64 tasks": "`AsyncModelClient.predict`, 64 tasks",
    "add, 64 tasks, coalesced": "`AsyncClient.add`, 64 tasks, coalesced",
}
VARIANTS = {
    "model.predict": "`model.predict`",
    "stock export, function": "stock export",
    "stock export, session": "stock export in a session",
    "default, function": "`default`",
    "default, session": "`default` in a session",
    "fast, function": "`fast`",
    "fast, session": "`fast` in a session",
    "bound of default: matrix products only": "bound of `default`",
    "bound of fast: strings in and out": "bound of `fast`",
}

Row = dict[str, Any]


def main() -> int:
    """Writes the pages; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    for page, made in PAGES.items():
        write(page, fill_in(page.read_text(), made(options.results)))
    return 0


def tables(results: Path) -> dict[str, str]:
    """Returns the tables of docs/performance.md by name."""
    names = ("client", "server", "graph")
    client, server, graph = (json.loads((results / f"{name}.json").read_text()) for name in names)
    return {
        "call-styles": call_styles(client["styles"]),
        "single-calls": single_calls(client["call_cost"]),
        "footprint": footprint(client["footprint"]),
        "server": server_rates(server["rows"]),
        "server-cpu": server_cpu(server["rows"]),
        "graph": graph_rates(graph["rows"]),
        "bounds": bounds(graph["share_of_bound"]),
        "unusual-rows": unusual_rows(graph["unusual_rows"]),
        "conditions": conditions({"client": client, "server": server}),
    }


def readme_tables(results: Path) -> dict[str, str]:
    """Returns the table of README.md by name: the server as in production."""
    rows = json.loads((results / "server.json").read_text())["rows"]
    return {"server-batching": server_rates([row for row in rows if row["batching"]])}


def call_styles(styles: Sequence[Row]) -> str:
    """Returns throughput and CPU time of each call style."""
    rows = (
        (
            NAMES[row["style"]],
            f"{row['questions_per_second']:,.0f}",
            _microseconds(row["client_cpu_microseconds"]),
            _microseconds(row["server_cpu_microseconds"]),
        )
        for row in styles
    )
    heads = ("call style", "questions/s", "client CPU per question", "server CPU per question")
    return table(heads, rows)


def single_calls(costs: Sequence[Row]) -> str:
    """Returns the client's CPU time of calls of one question, next to raw gRPC."""
    return table(
        ("single calls", "client CPU per call", "relative to raw gRPC"),
        (
            (SINGLE_CALLS[row["style"]], f"{row['microseconds']:.0f} µs", f"{row['ratio']:.2f}")
            for row in costs
        ),
    )


def footprint(packages: dict[str, Row]) -> str:
    """Returns what each package takes on disk, to import, and in memory."""
    return table(
        ("package", "installed", "import", "memory"),
        (
            (
                f"`{package}`",
                f"{cost['megabytes']:,.0f} MB",
                f"{cost['cpu_seconds']:.2f} CPU-seconds",
                f"{cost['resident']:,.0f} MB",
            )
            for package, cost in packages.items()
        ),
    )


def server_rates(rows: Sequence[Row]) -> str:
    """Returns the native server's questions per second, and its ratio to grpcio's server."""
    cells = []
    for recipe, batching in _kinds(rows):
        rates = [row["questions_per_second"] for row in _each_load(rows, recipe, batching, NATIVE)]
        bases = [row["questions_per_second"] for row in _each_load(rows, recipe, batching, GRPCIO)]
        pairs = zip(rates, bases, strict=True)
        rates_and_ratios = (f"{rate:,.0f} ({rate / base:.2f}×)" for rate, base in pairs)
        cells.append([_kind(recipe, batching), *rates_and_ratios])
    return table(("questions per call × concurrent calls", *map(load_name, LOADS)), cells)


def server_cpu(rows: Sequence[Row]) -> str:
    """Returns the CPU time of a call of one question on both servers."""
    load = (1, 64)
    return table(
        ("server CPU per call", NATIVE, GRPCIO),
        (
            (
                _kind(*kind),
                *(
                    f"{_of(rows, *kind, load, server)['cpu_microseconds']:,.0f} µs"
                    for server in (NATIVE, GRPCIO)
                ),
            )
            for kind in _kinds(rows)
        ),
    )


def graph_rates(rows: Sequence[Row]) -> str:
    """Returns questions per CPU-second of each variant, and the ratio to the stock export."""
    found = {(row["variant"], row["batch"]): row for row in rows}
    return table(
        ("questions per call", *(f"{batch:,}" for batch in BATCHES)),
        (
            (text, *(_rate(found[variant, batch]) for batch in BATCHES))
            for variant, text in VARIANTS.items()
        ),
    )


def bounds(shares: dict[str, dict[str, float]]) -> str:
    """Returns the share of its bound that each recipe reaches."""
    return table(
        ("questions per call", *(f"{batch:,}" for batch in BATCHES)),
        (
            (f"`{recipe}`", *(f"{of[str(batch)]:.0%}".replace("%", " %") for batch in BATCHES))
            for recipe, of in shares.items()
        ),
    )


def unusual_rows(rows: Sequence[Row]) -> str:
    """Returns the cost of batches with unusual rows, relative to those without."""
    columns = list(dict.fromkeys((row["recipe"], row["share"]) for row in rows))
    found = {(row["kind"], row["recipe"], row["share"]): row["relative_cost"] for row in rows}
    return table(
        ("rows", *(f"`{recipe}`, {share:.0%}".replace("%", " %") for recipe, share in columns)),
        (
            (kind, *(f"{found[kind, *column]:.2f}" for column in columns))
            for kind in dict.fromkeys(row["kind"] for row in rows)
        ),
    )


def conditions(results: dict[str, Row]) -> str:
    """Returns the date, the processor and the load of the machine when each benchmark began."""
    machines = [(result["command"], result["machine"]) for result in results.values()]
    return table(
        ("benchmark", "date", "machine", "load average before"),
        (
            (
                f"`{command}`",
                machine["date"],
                f"{machine['cpus']} cores, {machine['processor']}",
                f"{machine['load_average_before']:.1f}",
            )
            for command, machine in machines
        ),
    )


def _kinds(rows: Sequence[Row]) -> list[tuple[str, bool]]:
    return list(dict.fromkeys((row["recipe"], row["batching"]) for row in rows))


def _kind(recipe: str, batching: bool) -> str:
    return f"`{recipe}`, batching" if batching else f"`{recipe}`"


def _of(
    rows: Sequence[Row],
    recipe: str,
    batching: bool,
    load: tuple[int, int],
    server: str,
) -> Row:
    wanted = (recipe, batching, *load, server)
    keys = ("recipe", "batching", "rows", "callers", "server")
    [row] = [each for each in rows if tuple(each[key] for key in keys) == wanted]
    return row


def _each_load(rows: Sequence[Row], recipe: str, batching: bool, server: str) -> list[Row]:
    return [_of(rows, recipe, batching, load, server) for load in LOADS]


def _rate(row: Row) -> str:
    ratio = row["ratio_to_stock"]
    digits = 0 if ratio >= 10 else 1 if ratio >= 1 else 2
    return f"{short(row['per_cpu_second'])} ({ratio:.{digits}f}×)"


def _microseconds(time: float) -> str:
    return f"{time:,.0f} µs" if time >= 10 else f"{time:.1f} µs"


PAGES = {ROOT / "docs" / "performance.md": tables, ROOT / "README.md": readme_tables}


if __name__ == "__main__":
    sys.exit(main())
