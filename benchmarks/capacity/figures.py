"""The measured figures that capacity is computed from, read from the benchmarks' JSON files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.batching import report
from benchmarks.batching.candidates import Candidate
from benchmarks.batching.selection import Measurement


class Shape(NamedTuple):
    """A load that was measured: the size and the number of calls."""

    name: str
    rows: int
    """Questions per call."""
    callers: int
    """Concurrent calls."""


SHAPES = (
    Shape("one per call", 1, 64),
    Shape("coalesced, 32 per call", 32, 8),
    Shape("512 per call", 512, 8),
    Shape("4,096 per call", 4096, 4),
)
REAL, EMBEDDED, FAST = "TensorFlow Serving, `default`", "embedded, `default`", "embedded, `fast`"
SERVERS = (REAL, EMBEDDED, FAST)
RECIPES = {EMBEDDED: "default", FAST: "fast"}
ON, OFF_ONE_THREAD = "on", "intra-op 1"
"""Variants of the real server: batching with TensorFlow's default threads, and no batching with
one thread per operation."""


class CallStyle(NamedTuple):
    """A style of calling the server with the client."""

    name: str
    cpu_microseconds: float
    """Per question, in the client."""


STYLES = {
    "threads": "`add` in 64 threads",
    "threads_coalesced": "`add` in 64 threads, coalesced",
    "tasks_coalesced": "`add` in 64 tasks, coalesced",
    "add_many": "`add_many`",
    "stream_columns": "`stream_columns`",
}
"""Call styles by their names in client.json."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The measured figures that capacity is computed from."""

    rates: Mapping[tuple[str, Shape], float]
    """Questions per second of one replica at full load."""
    real: Mapping[Shape, Mapping[str, float]]
    """Questions per second of the real server, by variant."""
    graph: Mapping[tuple[str, int], float]
    """Questions per CPU second of the graph alone, by recipe and rows."""
    styles: tuple[CallStyle, ...]
    call_bytes: Mapping[int, dict[str, Any]]
    """Bytes of a call, by rows."""
    detailed: dict[str, Any]
    """Bytes of a call that asks for probabilities."""
    memory: Mapping[str, list[dict[str, Any]]]
    """Memory of a server by recipe, with an entry for each number of versions."""
    bursts: list[dict[str, Any]]
    """Memory in bursts of calls, with an entry for each burst."""
    series: int
    """Time series of one replica."""
    note: str
    """Note on the memory figures, or empty."""
    measurements: list[Measurement]
    """Measurements of batching."""
    candidates: list[Candidate]
    machine: dict[str, Any]
    """The machine of the batching measurements."""


def read(results: Path) -> Figures:
    """Reads the figures from a folder of JSON files.

    Raises:
        SystemExit: A file is missing.
    """
    server, client, graph, real_server, capacity = (
        json.loads(_text(results, f"{name}.json"))
        for name in ("server", "client", "graph", "real-server", "capacity")
    )
    measurements, candidates, machine = report.from_json(_text(results, "batching.json"))
    real = {
        shape: row
        for shape in SHAPES
        for row in real_server["questions_per_second"]
        if (row["rows"], row["callers"]) == shape[1:]
    }
    rates = {(REAL, shape): float(planned_rate(row)) for shape, row in real.items()}
    rates |= {
        (name, shape): row["questions_per_second"]
        for name, recipe in RECIPES.items()
        for shape in SHAPES
        for row in server["rows"]
        if (row["recipe"], row["server"], row["batching"], row["rows"], row["callers"])
        == (recipe, "native", False, *shape[1:])
    }
    client_cpu = {row["style"]: row["client_cpu_microseconds"] for row in client["styles"]}
    calls = capacity["calls"]
    return Figures(
        rates=rates,
        real=real,
        graph={
            (recipe, row["batch"]): row["per_cpu_second"]
            for recipe in RECIPES.values()
            for row in graph["rows"]
            if row["variant"] == f"{recipe}, session"
        },
        styles=tuple(CallStyle(name, client_cpu[style]) for style, name in STYLES.items()),
        call_bytes={each["rows"]: each for each in calls if each["signature"] != "probabilities"},
        detailed=next(each for each in calls if each["signature"] == "probabilities"),
        memory=capacity["memory"],
        bursts=capacity["bursts"]["found"],
        series=capacity["series"],
        note=capacity["machine"].get("note", ""),
        measurements=measurements,
        candidates=candidates,
        machine=machine,
    )


def planned_rate(row: Mapping[str, float]) -> float:
    """Returns the throughput that the real server is planned with: the lower one.

    Production has both batching and one thread per operation; only each alone was measured.
    """
    return min(row[ON], row[OFF_ONE_THREAD])


def _text(results: Path, name: str) -> str:
    try:
        return (results / name).read_text()
    except FileNotFoundError as error:
        raise SystemExit(
            f"{results / name} is missing: run the `make bench-...` command that writes it"
        ) from error
