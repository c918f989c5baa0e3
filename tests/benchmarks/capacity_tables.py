"""The tables of docs/capacity.md, from the figures."""

from __future__ import annotations

from collections.abc import Sequence

import capacity_batching
from batching_candidates import CALLERS
from capacity_figures import REAL, RECIPES, SERVERS, SHAPES, Figures, Shape
from capacity_markdown import bits_a_second, number, seconds, table
from capacity_plan import (
    DNS_SIZES,
    LOAD_SHARE,
    Resources,
    answer_bytes,
    most_addresses,
    replicas,
    resources,
    stall,
)

RATES = (1_000, 100_000, 10_000_000)
"""Questions a second."""
CPUS = 2
"""Of a replica."""
NAME = "seq2sum-serving.seq2sum.svc.cluster.local"
"""Of the headless service."""
FLEETS = (3, 10, 100, 1000, 4000)
CLIENTS = 100
"""Processes that ask, for the number of connections."""
MESSAGE = 4 << 20
"""Bytes that a gRPC client takes in one message, unless it is told to take more."""
BURST_ROWS = 4096
VERSIONS = 3
"""That a rollout has loaded at a time: stable, the one before it, and the one on trial."""


def tables(figures: Figures, rates: Sequence[int] = RATES) -> dict[str, str]:
    """All of them, by name."""
    return {
        "replica": one_replica(figures),
        "replicas": fleets(figures, rates),
        "network": network(figures, rates),
        "clients": clients(figures, rates),
        "limits": limits(figures),
        "addresses": addresses(figures),
        "messages": messages(figures),
        "memory": memory(figures),
        "bursts": bursts(figures),
        "resources": container(figures),
        "real": capacity_batching.real(figures),
        "batching": capacity_batching.ways(figures),
        "latencies": capacity_batching.latencies(figures),
    }


def one_replica(figures: Figures) -> str:
    """Questions a second of one replica, and what the network alone would allow."""
    return table(
        ("questions come", *SERVERS, *(f"network alone, `{name}`" for name in RECIPES.values())),
        (
            (
                shape.name,
                *(f"{figures.rates[name, shape]:,.0f}" for name in SERVERS),
                *(
                    f"{CPUS * figures.network[recipe, shape.rows]:,.0f}"
                    for recipe in RECIPES.values()
                ),
            )
            for shape in SHAPES
        ),
    )


def fleets(figures: Figures, rates: Sequence[int]) -> str:
    """Replicas by rate and shape."""
    return table(
        ("questions/s", "questions come", *SERVERS),
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
    """Bytes by shape, and bits a second by rate."""

    def row(shape: Shape) -> list[str]:
        weight = figures.weights[shape.rows]
        up, down = (weight[way] / shape.rows for way in ("wire_up", "wire_down"))
        bits = [bits_a_second((up + down) * 8 * rate) for rate in rates]
        return [shape.name, f"{up:.1f}", f"{down:.1f}", *bits]

    heads = (f"at {rate:,}/s" for rate in rates)
    return table(("questions come", "bytes to the server", "bytes back", *heads), map(row, SHAPES))


def clients(figures: Figures, rates: Sequence[int]) -> str:
    """Cores that those who ask need."""
    return table(
        ("asked by", "CPU µs a question", *(f"cores at {rate:,}/s" for rate in rates)),
        (
            (
                way.name,
                f"{way.cpu_microseconds:,.2f}",
                *(number(way.cpu_microseconds * rate / 1e6) for rate in rates),
            )
            for way in figures.ways
        ),
    )


def limits(figures: Figures) -> str:
    """Of one replica at its planned load: calls, and how much of a stall it takes."""

    def row(shape: Shape) -> list[str]:
        rate = figures.rates[REAL, shape]
        calls = LOAD_SHARE * rate / shape.rows
        return [
            shape.name,
            f"{calls:,.0f}",
            seconds(stall(CALLERS, calls)),
            seconds((CALLERS - 1) * shape.rows / rate),
        ]

    return table(
        (
            "questions come",
            "calls/s at the planned load",
            "stall until calls are refused",
            f"wait behind {CALLERS - 1} calls",
        ),
        map(row, SHAPES),
    )


def addresses(figures: Figures) -> str:
    """What grows with the number of replicas, and how many a DNS answer has room for."""
    rows = (
        (
            f"{count:,}",
            f"{answer_bytes(NAME, count):,}",
            next(
                (way for way, size in DNS_SIZES.items() if answer_bytes(NAME, count) <= size), "—"
            ),
            f"{count:,}",
            f"{CLIENTS * count:,}",
            f"{figures.series * count:,}",
        )
        for count in FLEETS
    )
    heads = (
        "replicas", "bytes of the DNS answer", "by", "connections of a client",
        f"of {CLIENTS} clients", "time series",
    )  # fmt: skip
    room = " and ".join(
        f"{most_addresses(NAME, size):,} by {way}" for way, size in DNS_SIZES.items()
    )
    return f"{table(heads, rows)}\n\nAn answer has room for {room}."


def messages(figures: Figures) -> str:
    """Rows of the largest reply that a client with gRPC's own limit takes."""
    text, detailed = figures.weights[BURST_ROWS], figures.detailed
    return table(
        ("reply", f"bytes, {BURST_ROWS:,} rows", "rows of 4 MiB"),
        (
            (name, f"{each['reply']:,}", f"{int(MESSAGE / (each['reply'] / each['rows'])):,}")
            for name, each in (("answers", text), ("`probabilities`", detailed))
        ),
    )


def memory(figures: Figures) -> str:
    """Resident memory by the number of versions loaded."""
    made = table(
        ("recipe", *(f"{number} loaded" for number in range(1, VERSIONS + 1)), "each more"),
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
    """The most memory in bursts of the largest calls."""
    return table(
        ("batching", "calls at once", "most memory", "all answered after", "refused"),
        (
            (
                each["way"],
                each["callers"],
                f"{each['peak']:,.0f} MiB",
                f"{each['seconds']:.1f} s",
                each["refused"],
            )
            for each in figures.bursts
        ),
    )


def container(figures: Figures) -> str:
    """What a container should be given."""

    def row(recipe: str) -> list[str]:
        given = container_needs(figures, recipe)
        return [f"`{recipe}`", str(CPUS), f"{given.request:,} MiB", f"{given.limit:,} MiB"]

    return table(
        ("recipe", "CPU request", "memory request", "memory limit"), map(row, figures.memory)
    )


def container_needs(figures: Figures, recipe: str) -> Resources:
    """Memory of a container that serves a recipe."""
    looks = figures.memory[recipe]
    [rollout] = [each for each in looks if each["versions"] == VERSIONS]
    return resources(rollout["now"], max(each["peak"] for each in (*looks, *figures.bursts)))
