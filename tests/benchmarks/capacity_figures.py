"""The measured figures that capacity is computed from, out of the JSON files in docs/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import batching_report
from batching_candidates import Candidate
from batching_choice import Measurement


class Shape(NamedTuple):
    """How questions come, as it was measured."""

    name: str
    rows: int
    """Questions a call."""
    callers: int
    """Calls at a time."""


SHAPES = (
    Shape("one a call", 1, 64),
    Shape("coalesced, 32 a call", 32, 8),
    Shape("512 a call", 512, 8),
    Shape("4,096 a call", 4096, 4),
)
REAL, EMBEDDED, FAST = "TensorFlow Serving, `default`", "embedded, `default`", "embedded, `fast`"
SERVERS = (REAL, EMBEDDED, FAST)
RECIPES = {EMBEDDED: "default", FAST: "fast"}
ON, OFF_ALONE = "on", "intra-op 1"
"""Ways of the real server: batching with TensorFlow's own threads, and one thread without it."""


class Way(NamedTuple):
    """A way of asking by the client."""

    name: str
    rows: int
    """Questions a call, about."""
    cpu_microseconds: float
    """Of a question, in the client."""


ASKED = {
    "threads_alone": ("`add` in 64 threads", 1),
    "threads_coalesced": ("the same, coalesced", 32),
    "tasks_coalesced": ("64 tasks, coalesced", 32),
    "add_many": ("`add_many`", 4096),
    "stream_columns": ("`stream_columns`", 4096),
}
"""Ways of asking by their names in client.json."""


@dataclass(frozen=True, slots=True)
class Figures:
    """All of them."""

    rates: Mapping[tuple[str, Shape], float]
    """Questions a second that one replica answers at the most."""
    real: Mapping[Shape, Mapping[str, float]]
    """The real server's, by way."""
    network: Mapping[tuple[str, int], float]
    """Questions that the graph alone answers in a CPU second, by recipe and rows."""
    ways: tuple[Way, ...]
    weights: Mapping[int, dict[str, Any]]
    """Bytes of a call, by rows."""
    detailed: dict[str, Any]
    """The same of a call that asks for probabilities."""
    memory: Mapping[str, list[dict[str, Any]]]
    """By recipe, then one entry for each number of versions."""
    bursts: list[dict[str, Any]]
    series: int
    """Values in the metrics of one replica."""
    streams: int | None
    """Calls at a time that a connection takes; None for no limit."""
    note: str
    """What was said of the memory figures; empty for nothing."""
    measurements: list[Measurement]
    """Of batching."""
    candidates: list[Candidate]
    machine: dict[str, Any]
    """That batching was measured on."""


def read(docs: Path) -> Figures:
    """The figures in a folder of JSON files.

    Raises:
        SystemExit: A file is missing.
    """
    server, client, graph = (_json(docs, f"{name}.json") for name in ("server", "client", "graph"))
    real, capacity = _json(docs, "real-server.json"), _json(docs, "capacity.json")
    measurements, candidates, machine = batching_report.read(_text(docs, "batching.json"))
    of_real = {
        shape: row
        for shape in SHAPES
        for row in real["questions a second"]
        if (row["rows"], row["callers"]) == shape[1:]
    }
    rates = {(REAL, shape): float(planned(row)) for shape, row in of_real.items()}
    rates |= {
        (name, shape): row["questions_a_second"]
        for name, recipe in RECIPES.items()
        for shape in SHAPES
        for row in server["rows"]
        if (row["recipe"], row["way"], row["batch"], row["concurrent"])
        == (recipe, "server", *shape[1:])
    }
    spent = {row["way"]: row["client_cpu_microseconds"] for row in client["ways"]}
    weights = capacity["weights"]
    return Figures(
        rates=rates,
        real=of_real,
        network={
            (recipe, row["batch"]): row["per_cpu_second"]
            for recipe in RECIPES.values()
            for row in graph["rows"]
            if row["form"] == f"{recipe}, session"
        },
        ways=tuple(Way(name, rows, spent[way]) for way, (name, rows) in ASKED.items()),
        weights={each["rows"]: each for each in weights if each["signature"] != "probabilities"},
        detailed=next(each for each in weights if each["signature"] == "probabilities"),
        memory=capacity["memory"],
        bursts=capacity["bursts"]["found"],
        series=capacity["series"],
        streams=capacity["streams of a connection"],
        note=capacity["machine"].get("note", ""),
        measurements=measurements,
        candidates=candidates,
        machine=machine,
    )


def planned(row: Mapping[str, float]) -> float:
    """What the real server is planned with: production has both, and only each alone was
    measured, so it is the lower of the two."""
    return min(row[ON], row[OFF_ALONE])


def _json(docs: Path, name: str) -> Any:
    return json.loads(_text(docs, name))


def _text(docs: Path, name: str) -> str:
    try:
        return (docs / name).read_text()
    except FileNotFoundError as error:
        raise SystemExit(f"{docs / name} is missing: `make bench-...` writes it") from error
