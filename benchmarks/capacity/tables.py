"""The tables of docs/capacity.md."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.batching.candidates import CALLERS
from benchmarks.capacity import batching_tables
from benchmarks.capacity.figures import REAL, RECIPES, SERVERS, SHAPES, Figures, Shape
from benchmarks.capacity.sizing import (
    DNS_SIZES,
    UTILIZATION,
    Resources,
    dns_answer_bytes,
    longest_stall,
    max_addresses,
    replicas,
    resources,
)
from benchmarks.support.markdown import bits_per_second, number, seconds, table

RATES = (1_000, 100_000, 10_000_000)
"""Questions per second."""
CPUS = 2
"""Of a replica."""
NAME = "seq2sum-serving.seq2sum.svc.cluster.local"
"""Name of the headless service."""
REPLICA_COUNTS = (3, 10, 100, 1000, 4000)
CLIENTS = 100
"""Client processes, for the number of connections."""
MAX_MESSAGE = 4 << 20
"""Default limit of a gRPC client for a received message, in bytes."""
BURST_ROWS = 4096
VERSIONS = 3
"""Versions that a rollout has loaded: stable, previous and canary."""


def tables(figures: Figures, rates: Sequence[int] = RATES) -> dict[str, str]:
    """Returns all tables by name."""
    return {
        "replica": one_replica(figures),
        "replicas": replica_counts(figures, rates),
        "network": network(figures, rates),
        "clients": clients(figures, rates),
        "limits": limits(figures),
        "addresses": addresses(figures),
        "messages": messages(figures),
        "memory": memory(figures),
        "bursts": bursts(figures),
        "resources": container(figures),
        "real": batching_tables.real_server(figures),
        "batching": batching_tables.candidates(figures),
        "latencies": batching_tables.latencies(figures),
    }


def one_replica(figures: Figures) -> str:
    """Throughput of one replica, and that of the graph alone."""
    return table(
        ("load", *SERVERS, *(f"graph alone, `{name}`" for name in RECIPES.values())),
        (
            (
                shape.name,
                *(f"{figures.rates[name, shape]:,.0f}" for name in SERVERS),
                *(
                    f"{CPUS * figures.graph[recipe, shape.rows]:,.0f}"
                    for recipe in RECIPES.values()
                ),
            )
            for shape in SHAPES
        ),
    )


def replica_counts(figures: Figures, rates: Sequence[int]) -> str:
    """Replicas by rate and load."""
    return table(
        ("questions/s", "load", *SERVERS),
        (
            (
                f"{rate:,}",
                shape.name,
                *(f"{replicas(rate, figures.rates[name, shape]):,}" for name in SERVERS),
            )
            for rate in rates
            for shape in SHAPES
        ),
    )


def network(figures: Figures, rates: Sequence[int]) -> str:
    """Bytes per question by load, and bandwidth by rate."""

    def row(shape: Shape) -> list[str]:
        call = figures.call_bytes[shape.rows]
        up, down = (call[key] / shape.rows for key in ("wire_up", "wire_down"))
        bits = [bits_per_second((up + down) * 8 * rate) for rate in rates]
        return [shape.name, f"{up:.1f}", f"{down:.1f}", *bits]

    heads = (f"at {rate:,}/s" for rate in rates)
    return table(("load", "bytes to the server", "bytes back", *heads), map(row, SHAPES))


def clients(figures: Figures, rates: Sequence[int]) -> str:
    """Cores that the clients need."""
    return table(
        ("call style", "CPU µs per question", *(f"cores at {rate:,}/s" for rate in rates)),
        (
            (
                style.name,
                f"{style.cpu_microseconds:,.2f}",
                *(number(style.cpu_microseconds * rate / 1e6) for rate in rates),
            )
            for style in figures.styles
        ),
    )


def limits(figures: Figures) -> str:
    """Calls of one replica at its planned load, and the longest stall without refused calls."""

    def row(shape: Shape) -> list[str]:
        rate = figures.rates[REAL, shape]
        calls = UTILIZATION * rate / shape.rows
        return [
            shape.name,
            f"{calls:,.0f}",
            seconds(longest_stall(CALLERS, calls)),
            seconds((CALLERS - 1) * shape.rows / rate),
        ]

    return table(
        (
            "load",
            "calls/s at the planned load",
            "stall until calls are refused",
            f"wait behind {CALLERS - 1} calls",
        ),
        map(row, SHAPES),
    )


def addresses(figures: Figures) -> str:
    """Size of DNS answers, connections and time series by the number of replicas."""
    rows = (
        (
            f"{count:,}",
            f"{dns_answer_bytes(NAME, count):,}",
            next(
                (
                    protocol
                    for protocol, size in DNS_SIZES.items()
                    if dns_answer_bytes(NAME, count) <= size
                ),
                "—",
            ),
            f"{count:,}",
            f"{CLIENTS * count:,}",
            f"{figures.series * count:,}",
        )
        for count in REPLICA_COUNTS
    )
    heads = (
        "replicas", "bytes of the DNS answer", "over", "connections of one client",
        f"of {CLIENTS} clients", "time series",
    )  # fmt: skip
    most = " and ".join(
        f"{max_addresses(NAME, size):,} over {protocol}" for protocol, size in DNS_SIZES.items()
    )
    return f"{table(heads, rows)}\n\nAddresses that fit into an answer: {most}."


def messages(figures: Figures) -> str:
    """Rows of the largest reply that fits gRPC's default limit."""
    plain, detailed = figures.call_bytes[BURST_ROWS], figures.detailed
    return table(
        ("reply", f"bytes, {BURST_ROWS:,} rows", "rows in 4 MiB"),
        (
            (name, f"{each['reply']:,}", f"{int(MAX_MESSAGE / (each['reply'] / each['rows'])):,}")
            for name, each in (("answers", plain), ("`probabilities`", detailed))
        ),
    )


def memory(figures: Figures) -> str:
    """Resident memory by the number of loaded versions."""
    made = table(
        ("recipe", *(f"{count} loaded" for count in range(1, VERSIONS + 1)), "per further version"),
        (
            (
                f"`{recipe}`",
                *(f"{each['now']:,.0f} MiB" for each in rows),
                f"{(rows[-1]['now'] - rows[0]['now']) / (len(rows) - 1):,.0f} MiB",
            )
            for recipe, rows in figures.memory.items()
        ),
    )
    return f"{made}\n\n{figures.note}" if figures.note else made


def bursts(figures: Figures) -> str:
    """Peak memory in bursts of the largest calls."""
    return table(
        ("batching", "concurrent calls", "peak memory", "all answered after", "failed"),
        (
            (
                each["batching"],
                each["callers"],
                f"{each['peak']:,.0f} MiB",
                f"{each['seconds']:.1f} s",
                each["failed"],
            )
            for each in figures.bursts
        ),
    )


def container(figures: Figures) -> str:
    """Resources of a container."""

    def row(recipe: str) -> list[str]:
        needs = container_resources(figures, recipe)
        return [f"`{recipe}`", str(CPUS), f"{needs.request:,} MiB", f"{needs.limit:,} MiB"]

    return table(
        ("recipe", "CPU request", "memory request", "memory limit"), map(row, figures.memory)
    )


def container_resources(figures: Figures, recipe: str) -> Resources:
    """Returns the memory of a container that serves a recipe."""
    samples = figures.memory[recipe]
    [rollout] = [each for each in samples if each["versions"] == VERSIONS]
    return resources(rollout["now"], max(each["peak"] for each in (*samples, *figures.bursts)))
